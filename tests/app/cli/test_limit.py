"""`poolgate key limit` and `poolgate pool limit`, on a real store."""

from __future__ import annotations

import json
import re

import pytest

from app.accounts.account import Account


@pytest.fixture(autouse=True)
def ann(poolgate):
    poolgate("key create --name ann")


def added(poolgate, command: str, *args: str) -> str:
    return json.loads(poolgate(command, *args, "--json").stdout)["id"]


class TestKeyLimit:
    def test_add_and_list(self, poolgate):
        output = poolgate(
            "key limit add ann", "5.50 usd/month", "--model", "gpt-5*", "--mode", "balanced"
        ).stdout
        first = output.split()[1].rstrip(":")
        second = added(poolgate, "key limit add ann", "20 parallel_requests")

        assert output == f"Added {first}: 5.5 usd/month for gpt-5* balanced\n"
        lines = [re.split("  +", line) for line in poolgate("key limit list ann").stdout.splitlines()]
        assert lines[0] == ["ID", "LIMIT", "USED", "RESERVED", "REMAINING", "RESETS"]
        assert lines[1][:5] == [first, "5.5 usd/month for gpt-5* balanced", "$0.00", "$0.00", "$5.50"]
        assert lines[2] == [second, "20 parallel_requests", "0", "0", "20", "never"]
        assert "20 parallel_requests" in poolgate("key list").stdout

    def test_for_scripts(self, poolgate):
        limit_id = added(poolgate, "key limit add ann", "10 requests/day")

        [listed] = json.loads(poolgate("key limit list ann --json").stdout)["data"]
        assert listed.pop("resets_at") > 1_700_000_000
        assert listed == {
            "id": limit_id,
            "limit": "10 requests/day",
            "what": "requests",
            "per": "day",
            "max": 10,
            "mode": "strict",
            "scope": "key",
            "model": None,
            "settled": 0,
            "held": 0,
            "remaining": 10,
        }

    def test_set(self, poolgate):
        limit_id = added(poolgate, "key limit add ann", "10 requests/day")

        assert poolgate(f"key limit set ann {limit_id}", "20 requests/day").stdout.endswith(
            ": 20 requests/day\n"
        )
        refused = poolgate(f"key limit set ann {limit_id}", "20 requests/week")
        assert (refused.exit_code, "remove it and add one" in refused.stderr) == (1, True)

    def test_remove(self, poolgate):
        limit_id = added(poolgate, "key limit add ann", "10 requests/day")

        assert poolgate(f"key limit remove ann {limit_id}").stdout == f"Removed {limit_id}.\n"
        assert poolgate(f"key limit remove ann {limit_id}").exit_code == 1
        assert poolgate("key limit list ann").stderr == "No limits.\n"

    def test_what_is_no_limit(self, poolgate):
        """A limit that cannot be parsed is a usage error that names the reason."""
        result = poolgate("key limit add ann", "1.5 requests/day")

        assert (result.exit_code, "whole numbers" in result.stderr) == (2, True)

    @pytest.mark.parametrize("command", ["key limit list bob", "key limit list ann --pool typo"])
    def test_what_is_not_there(self, poolgate, command):
        assert poolgate(command).exit_code == 1


@pytest.mark.parametrize(
    ("owner", "whose"), [("key ann", "Key 'ann'"), ("team red", "Team 'red'"), ("pool", "Pool 'default'")]
)
def test_an_equal_limit(poolgate, owner, whose):
    """It is reported, without a warning, and nothing is changed."""
    poolgate("team create red")
    noun, _, name = owner.partition(" ")
    command = f"{noun} limit add {name}"
    limit_id = added(poolgate, command, "5 usd/month")

    again = poolgate(command, "5 usd/month")

    assert (again.stdout, again.stderr) == (
        f"{whose} has this limit already, {limit_id}: 5 usd/month\n",
        "",
    )
    assert added(poolgate, command, "5 usd/month") == limit_id
    assert added(poolgate, command, "5 usd/month balanced") != limit_id


class TestPoolLimit:
    def test_shared_by_its_keys(self, poolgate):
        limit_id = added(poolgate, "pool limit add", "100 requests/minute")

        assert limit_id in poolgate("pool limit list").stdout
        assert poolgate("key limit list ann").stdout == ""
        poolgate(f"pool limit remove {limit_id}")
        assert poolgate("pool limit list").stdout == ""


def test_a_limit_for_a_model_that_no_account_lists(poolgate, services):
    """The limit is added; the warning names accounts that may have the model but have listed none."""
    services.pools.ensure("default")
    services.accounts.add("default", Account("", "main", "openai", "http://up.test", credential="sk"))

    added = poolgate("pool limit add", "5 usd/day for gpt-9")

    assert added.exit_code == 0
    assert added.stderr == (
        "Warning: a limit may count nothing: no account lists gpt-9 yet; main has not listed its models.\n"
    )
