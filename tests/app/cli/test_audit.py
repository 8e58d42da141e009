"""`poolgate audit`."""

from __future__ import annotations

import json


def test_who_changed_what(poolgate):
    poolgate("key create --name ann")
    poolgate("key set ann --on-cut restart")

    lines = poolgate("audit --action key").stdout.splitlines()

    assert lines[0].split() == ["WHEN", "WHO", "BY", "WHAT", "POOL", "OBJECT", "CHANGE"]
    assert lines[1].endswith("key.change  default  ann     on_cut: fail -> restart")
    assert " cli  key.create" in lines[2]


def test_a_new_limit(poolgate):
    """An object that did not exist before is described as well."""
    poolgate("key create --name ann")
    poolgate("key limit add ann", "5 usd/month")

    assert poolgate("audit --action limit").stdout.splitlines()[1].endswith("limit: 5 usd/month")


def test_json(poolgate):
    poolgate("key create --name ann")

    page = json.loads(poolgate("audit --json --most 1").stdout)

    assert [(one["action"], one["outcome"]) for one in page["data"]] == [("key.create", "done")]
    assert json.loads(poolgate("audit --json --who nobody").stdout)["data"] == []


def test_nothing(poolgate):
    assert poolgate("audit").stderr == "No changes found.\n"


def test_uncut_rows_in_a_pipe(poolgate):
    """Only a terminal gets rows that are cut to its width."""
    models = ",".join(f"a-model-with-a-long-name-{number}" for number in range(5))
    poolgate("key create --name ann --models", models)

    assert models.replace(",", ", ") in poolgate("audit --action key").stdout


def test_an_unknown_pool(poolgate):
    result = poolgate("audit --pool nosuch")

    assert (result.exit_code, result.stderr) == (1, "Error: There is no pool named 'nosuch'\n")
