"""`poolgate team`, and teams of keys, on a real store."""

from __future__ import annotations

import json

from app.accounts.account import Account


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


def test_warnings_of_limits_that_refuse_models_without_a_price(poolgate, services):
    """Wherever a limit is set: of a key, a team or the pool."""
    account = Account("", "gpu1", "compatible", "http://127.0.0.1:9", models=("llama-4",))
    services.accounts.add("default", account)
    refuses = "the strict limit $50.00 per month refuses every request for llama-4 (429)"
    warning = f"{refuses}, which has no price: set a price, or make it balanced.\n"

    team = poolgate("team create red", "--limit", "50 usd/month")
    key = poolgate("key create --name ann", "--limit", "50 usd/month")
    pool = poolgate("pool limit add", "50 usd/month")
    balanced = poolgate("team limit add red", "50 usd/day", "--mode", "balanced")

    assert team.stderr == f"Warning: team 'red': {warning}"
    assert key.stderr.endswith(f"Warning: key 'ann': {warning}")
    assert pool.stderr == f"Warning: {warning}"
    assert balanced.stderr == ""
    limit_id = services.teams.find("default", "red").limits[1].id
    strict = poolgate(f"team limit set red {limit_id}", "50 usd/day", "--mode", "strict")
    assert "refuses every request for llama-4" in strict.stderr
