"""`poolgate key show` and `poolgate account show`, on a real store."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from app.accounts.account import Account
from app.accounts.request_settings import RequestSettings
from app.limits.limit_syntax import parse_limit
from app.stores.records.accounts import AccountOutcome
from app.wiring import Services
from tests.app.cli.conftest import Run
from tests.support.ledger_rows import record_request


def lines(output: str) -> dict[str, str]:
    """The lines of label and text."""
    found = (line.split("  ", 1) for line in output.splitlines() if "  " in line)
    return {label: text.strip() for label, text in found}


@pytest.fixture
def main(services: Services) -> Account:
    services.pools.ensure("default")
    account = Account("", "main", "openai", "http://up.test", credential="sk-upstream-secret", weight=3)
    settings = RequestSettings(headers={"X-Tenant": "lab"}, secret_headers={"X-Token": "hidden-token"})
    return services.accounts.add("default", replace(account, settings=settings))


class TestKey:
    def test_what_it_may_do(self, poolgate: Run, services: Services, main: Account) -> None:
        _, secret = services.api_keys.create(
            "default", "ann", models=["gpt-5"], accounts=[main.id], limits=[parse_limit("5 usd/month")]
        )

        result = poolgate("key show ann")

        shown = lines(result.stdout)
        assert result.exit_code == 0
        assert (shown["Key"], shown["State"]) == ("ann in pool default", "active")
        assert (shown["Models"], shown["Accounts"], shown["Expires"]) == ("gpt-5", "main", "never")
        assert "5 usd/month" in result.stdout
        assert secret not in result.stdout

    def test_limits_of_others_that_apply(self, poolgate: Run, services: Services) -> None:
        poolgate("team create research --limit", "500 usd/month")
        poolgate("pool limit add", "9 requests/minute")
        poolgate("key create --name ann --team research --limit", "7 requests/day")

        rows = poolgate("key show ann").stdout.splitlines()

        owners = [row.rsplit("  ", 1)[1] for row in rows if "usd/month" in row or " requests/" in row]
        assert owners == ["key", "team research", "pool"]

    def test_usage_of_today(self, poolgate: Run, services: Services) -> None:
        services.pools.ensure("default")
        key, _ = services.api_keys.create("default", "ann")
        for owner in (key.id, key.id, "key_other"):
            record_request(services.scripts, "default", time.time(), key=owner)

        assert "Today            2 requests, 0 errors, 20 input tokens" in poolgate("key show ann").stdout
        assert json.loads(poolgate("key show ann --json").stdout)["usage_today"]["requests"] == 2

    def test_an_expired_key(self, poolgate: Run, services: Services) -> None:
        services.pools.ensure("default")
        services.api_keys.create("default", "ann", expires_at=time.time() - 60)

        assert lines(poolgate("key show ann").stdout)["State"] == "expired"
        assert json.loads(poolgate("key show ann --json").stdout)["state"] == "expired"

    def test_no_such_key(self, poolgate: Run, services: Services) -> None:
        services.pools.ensure("default")

        result = poolgate("key show bob")

        assert result.exit_code == 1
        assert "bob" in result.stderr


class TestAccount:
    def test_its_settings(self, poolgate: Run, main: Account) -> None:
        result = poolgate("account show main")

        shown = lines(result.stdout)
        assert (shown["Account"], shown["State"]) == ("main, openai", "not used yet")
        assert (shown["In flight"], shown["Weight, group"]) == ("0 of 100", "3, 0")
        assert shown["Headers"] == "X-Tenant: lab, X-Token (secret)"
        assert "Response timeout" not in shown
        assert "secret" not in poolgate("account show main --json").stdout.replace("secret_headers", "")
        assert "sk-upstream-secret" not in result.stdout
        assert "hidden-token" not in result.stdout

    def test_why_it_is_out_and_until_when(self, poolgate: Run, services: Services, main: Account) -> None:
        spent = {"state": "window_spent", "reason": "spent", "wait_ms": 3_600_000}
        services.accounts.observe("default", main.id, {}, outcome=spent)

        state = lines(poolgate("account show main").stdout)["State"]

        assert state.startswith("window spent until 20")
        assert state.endswith("Z (spent)")

    def test_windows(self, poolgate: Run, services: Services, main: Account) -> None:
        reset = int(time.time() * 1000) + 3_600_000
        window = {"used_1": 42, "reset_1": reset, "length_1": 18_000}
        services.accounts.observe("default", main.id, window)

        (row,) = (row for row in poolgate("account show main").stdout.splitlines() if "window" in row)

        assert row.split("  ")[0] == "5 h window"
        assert " 42%" in row
        assert row.endswith("not before its reset")

    def test_recent_errors_and_usage(self, poolgate: Run, services: Services, main: Account) -> None:
        record_request(services.scripts, "default", time.time(), account=main.id)
        failed = record_request(
            services.scripts, "default", time.time(), account=main.id, status=502, error="upstream_error"
        )

        result = poolgate("account show main").stdout

        (row,) = (row for row in result.splitlines() if failed["id"] in row)
        assert "502  upstream_error  gpt-5" in row
        assert "Today  2 requests, 1 error," in result
        shown = json.loads(poolgate("account show main --json").stdout)
        assert (shown["usage_today"]["requests"], shown["recent_errors"][0]["failure"]) == (
            2,
            "upstream_error",
        )


def test_models_that_rest_at_an_account(poolgate: Run, services: Services, main: Account) -> None:
    for model, why in (("gpt-5", "missing"), ("o4", "limited")):
        outcome: AccountOutcome = {"model": model, "why": why, "wait_ms": 60_000}
        services.accounts.observe("default", main.id, {}, outcome=outcome)

    shown = poolgate("account show main").stdout

    assert lines(shown)["State"] == "not used yet (2 models rest)"
    assert "not used yet (2 models rest)" in poolgate("account list").stdout
    rows = [line.split("  ") for line in shown.splitlines() if line.startswith(("gpt-5", "o4"))]
    assert [[cell.strip() for cell in row if cell][:2] for row in rows] == [
        ["gpt-5", "missing at its server"],
        ["o4", "rate limited"],
    ]
    resting = json.loads(poolgate("account show main --json").stdout)["resting_models"]
    assert [(one["model"], one["why"]) for one in resting] == [("gpt-5", "missing"), ("o4", "limited")]
    assert all(time.time() < one["until"] <= time.time() + 60 for one in resting)
