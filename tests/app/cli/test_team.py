"""`poolgate team`, and teams of keys, on a real store."""

from __future__ import annotations

import json


def test_teams(poolgate, services):
    made = poolgate("team create research", "--limit", "500 usd/month", "--key-limit", "9 requests/day")
    assert made.exit_code == 0, made.stderr
    secret = poolgate("key create --name ann --team research").stdout.strip()
    assert [limit.scope for limit in services.api_keys.authenticate(secret).limits] == ["key", "team"]
    assert poolgate("team limit add research", "2 parallel_requests").exit_code == 0
    shown = json.loads(poolgate("team show research --json").stdout)
    assert (shown["keys"], len(shown["limits"]), shown["key_limits"]) == (["ann"], 2, ["9 requests/day"])
    assert "500 usd/month" in poolgate("team list").stdout
    assert "Keys: ann" in poolgate("team show research").stdout
    assert poolgate("team disable research").exit_code == 0
    assert services.teams.find("default", "research").state == "disabled"
    assert poolgate("team enable research").exit_code == 0
    assert poolgate("team set research --no-key-limits").exit_code == 0
    assert poolgate("team remove research --yes").exit_code != 0
    assert poolgate("key set ann --no-team").exit_code == 0
    assert poolgate("team remove research --yes").exit_code == 0
    assert services.teams.all("default") == []
    assert poolgate("key set ann --team gone").exit_code != 0
    assert poolgate("key set ann --team gone --no-team").exit_code == 2
