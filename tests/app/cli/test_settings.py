"""`poolgate settings`."""

from __future__ import annotations

import json


def test_what_is_in_force(poolgate):
    poolgate("pool set --policy ordered --hide-accounts")
    lines = [line.split() for line in poolgate("settings", PORT="8123").stdout.splitlines()]

    assert lines[0] == ["SETTING", "VARIABLE", "VALUE"]
    assert ["port", "PORT", "8123"] in lines
    assert ["default:", "policy", "-", "ordered"] in lines
    assert ["default:", "names_accounts", "-", "false"] in lines
    settings = json.loads(poolgate("settings --json").stdout)
    assert (settings["time_limits"]["total"], settings["pool"]["policy"]) == (600, "ordered")
