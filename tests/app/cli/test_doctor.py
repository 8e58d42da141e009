"""`poolgate doctor`, on a real store."""

from __future__ import annotations

import importlib
import json
import time
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.accounts.account import Account
from app.accounts.failures import Failure
from app.cli import policy_tables
from app.cli.doctor import RULES
from app.operations import check_host, check_redis
from app.stores import keys
from app.wiring import Services
from tests.app.cli.conftest import Run


@pytest.fixture(autouse=True)
def _any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever disk and speed this one has."""
    monkeypatch.setattr(check_host, "FEW_BYTES", 0)
    monkeypatch.setattr(check_redis, "SLOW_SECONDS", 60.0)


@pytest.fixture
def healthy(services: Services, redis_client: Any) -> Account:
    """A pool with an account and a key, and a worker that runs."""
    services.pools.ensure("default")
    services.api_keys.create("default", "ann")
    ran(redis_client)
    return services.accounts.add("default", Account("", "main", "openai", "http://x", credential="sk-1"))


def ran(redis_client: Any, seconds_ago: float = 0, *, job: str = "usage", ok: bool = True) -> None:
    run = {"at": int(time.time() - seconds_ago), "every_seconds": 60.0, "ok": ok}
    redis_client.hset(keys.JOB_RUNS, job, json.dumps(run))


def found(poolgate: Run, **variables: str) -> list[tuple[str, str]]:
    diagnostics = json.loads(poolgate("doctor --json", **variables).stdout)["data"]
    return [(one["level"], one["what"]) for one in diagnostics]


def test_well(poolgate: Run, healthy: Account) -> None:
    result = poolgate("doctor")

    assert (result.exit_code, result.stdout) == (0, "No problems found.\n")


def test_nothing_there(poolgate: Run) -> None:
    result = poolgate("doctor")

    assert result.exit_code == 1
    assert "no worker runs" in result.stdout
    assert "poolgate account add --help" in result.stdout


def test_redis_away(poolgate: Run) -> None:
    """What can be looked at without it is looked at; status 3, as of any command."""
    result = poolgate("doctor", REDIS_URL="redis://:secret@127.0.0.1:1/0")

    assert result.exit_code == 3
    assert "The store at redis://127.0.0.1:1/0 refuses connections: nothing listens there" in result.stdout
    assert "secret" not in result.stdout


def test_redis_that_may_forget(poolgate: Run, healthy: Account, redis_client: Any) -> None:
    redis_client.config_set("maxmemory", "100mb")
    redis_client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        ((level, what),) = found(poolgate)
    finally:
        redis_client.config_set("maxmemory", "0")
        redis_client.config_set("maxmemory-policy", "noeviction")

    assert (level, what[:36]) == ("wrong", "maxmemory-policy is allkeys-lru: it ")


def test_accounts_that_are_out(poolgate: Run, healthy: Account, services: Services) -> None:
    """A refused credential is for a person; a spent window ends by itself."""
    dead = {"state": "credential_dead", "reason": "invalid_api_key", "wait_ms": 0, "retest_wait_ms": 0}
    services.accounts.observe("default", healthy.id, {}, outcome=dead)
    other = services.accounts.add("default", Account("", "b", "openai", "http://x", credential="sk-2"))
    spent = {"state": "window_spent", "reason": "spent", "wait_ms": 3_600_000}
    services.accounts.observe("default", other.id, {}, outcome=spent)

    diagnostics = found(poolgate)

    assert ("wrong", "every account is out of use, so all requests are refused") in diagnostics
    assert ("wrong", "its credential is refused (invalid_api_key)") in diagnostics
    assert [level for level, what in diagnostics if what.startswith("window_spent (spent) until ")] == [
        "note"
    ]


def test_fields_that_a_server_refuses(poolgate: Run, healthy: Account, services: Services) -> None:
    services.accounts.learn_refused("default", healthy, "chat", "m", ["store"])

    output = poolgate("doctor").stdout

    assert "its server refuses fields" in output
    assert "store (chat, m)" in output
    assert "poolgate account forget-refused" in output


def test_usage_that_is_not_understood(poolgate: Run, healthy: Account, services: Services) -> None:
    services.accounts.learn_unknown_usage("default", healthy, ["credits", "units"])

    output = poolgate("doctor").stdout

    assert "usage in a form that is not understood" in output
    assert "credits, units" in output
    assert "poolgate account forget-refused" in output


def test_another_secret_key(poolgate: Run, healthy: Account) -> None:
    diagnostics = found(poolgate, POOLGATE_SECRET_KEYS=Fernet.generate_key().decode())

    assert diagnostics == [
        ("wrong", "no account in use has a credential that can be read, so all requests fail"),
        ("wrong", "its credential was encrypted with another key"),
    ]


def test_one_pool_alone(poolgate: Run, healthy: Account, services: Services) -> None:
    services.pools.ensure("team-b")

    assert poolgate("doctor --pool default").exit_code == 0
    assert poolgate("doctor --pool team-b").exit_code == 1


@pytest.mark.parametrize("rules", ["retries", "fields", "states"])
def test_rules(poolgate: Run, rules: str) -> None:
    """They need no store; every failure, or every field, is in them."""
    result = poolgate(f"doctor {rules}", REDIS_URL="redis://127.0.0.1:1/0")
    as_json = json.loads(poolgate(f"doctor {rules} --json").stdout)

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1 + len(as_json["data"]) + len(as_json["numbers"])
    if rules != "fields":
        assert {row["failure"] for row in as_json["data"]} == set(Failure)


def test_durations_of_verdicts(poolgate: Run) -> None:
    """They are written as people read them."""
    durations = {row["for"] for row in json.loads(poolgate("doctor states --json").stdout)["data"]}

    assert {"as the upstream specifies, else 10 min", "2 s, doubling; then one test"} <= durations


def test_on_a_terminal(
    poolgate: Run, healthy: Account, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each finding is a block, whose remedy is not cut."""
    dead = {"state": "credential_dead", "reason": "invalid_api_key", "wait_ms": 0, "retest_wait_ms": 0}
    services.accounts.observe("default", healthy.id, {}, outcome=dead)
    monkeypatch.setattr(importlib.import_module("app.cli.doctor"), "terminal_width", lambda: 20)

    lines = poolgate("doctor").stdout.splitlines()

    assert "wrong  default/main" in lines
    assert "  its credential is refused (invalid_api_key)" in lines
    assert any(line.startswith("  Remedy: ") and "poolgate account" in line for line in lines)


def test_the_rules_are_those_that_have_a_table():
    assert tuple(policy_tables.RULES) == RULES


def test_rules_on_a_narrow_terminal(poolgate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row is a block with complete values; in a pipe it is one line, padded to bearable widths."""
    piped = poolgate("doctor states").stdout.splitlines()
    monkeypatch.setattr(importlib.import_module("app.cli.doctor"), "terminal_width", lambda: 80)

    blocks = poolgate("doctor states").stdout.split("\n\n")

    assert blocks[0].splitlines()[0].startswith("kind ")
    assert len(blocks) > 10
    assert len(piped[0]) < 300
