"""`poolgate status`, on a real store."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from app.accounts.account import Account
from app.cli.status import problem_text
from app.operations import check_host, check_redis
from app.operations.diagnostic import Diagnostic, Level
from app.stores import keys
from app.stores.records.refusals import RefusedRequest
from app.supervision.running import RunningGateway, announced
from app.wiring import Services
from tests.app.cli.conftest import Run
from tests.app.cli.test_doctor import ran


@pytest.fixture(autouse=True)
def _any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever disk and speed this one has."""
    monkeypatch.setattr(check_host, "FEW_BYTES", 0)
    monkeypatch.setattr(check_redis, "SLOW_SECONDS", 60.0)


@pytest.fixture
def main(services: Services, redis_client: object) -> Account:
    services.pools.ensure("default")
    services.api_keys.create("default", "ann")
    ran(redis_client)
    return services.accounts.add("default", Account("", "main", "openai", "http://x", credential="sk-1"))


def test_well(poolgate: Run, main: Account, redis_client: object, tmp_path: Path) -> None:
    redis_client.zadd(keys.leases("default"), {"req_1": 4e15, "req_2": 4e15})
    redis_client.zadd(keys.queue("default"), {"req_3": 1})

    result = poolgate("status", POOLGATE_HOME=str(tmp_path))

    assert result.exit_code == 0, result.output
    assert "none runs on this machine: start one: poolgate up; those of other machines may" in result.stdout
    for line in (
        "  accounts  1: 1 not used yet",
        "  keys      1: 1 active",
        "  requests  2 open, 1 waiting; last minute: 0 requests, 0 failed, 0 refused",
        "  alerts    none",
        "Problems    none",
    ):
        assert line in result.stdout.splitlines()


def test_an_account_that_needs_attention(poolgate: Run, main: Account, services: Services) -> None:
    """The alert is there, and the status is that of doctor."""
    dead = {"state": "credential_dead", "reason": "invalid_api_key", "wait_ms": 0, "retest_wait_ms": 0}
    services.accounts.observe("default", main.id, {}, outcome=dead)

    result = poolgate("status")

    assert result.exit_code == 1
    assert "1: 1 credential refused" in result.stdout
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Alert       No account can serve")
    assert lines[1].startswith("Alert       Account main needs attention")
    assert "  alerts    2" in lines
    assert lines[-1] == "Problems    2 wrong: see poolgate doctor"


def test_requests_of_the_last_minute(poolgate: Run, main: Account, services: Services) -> None:
    """Refused ones are counted apart, as `poolgate top` counts them."""
    services.ledger.refusal_log.add(
        RefusedRequest(
            id="req_1",
            at_ms=int(time.time() * 1000),
            model="m",
            endpoint="/v1/responses",
            status=503,
            code="no_accounts",
            message="No",
            pool="default",
            key=services.api_keys.find("default", "ann").id,
        )
    )
    services.ledger.refusal_log.flush()

    (pool,) = json.loads(poolgate("status --json").stdout)["pools"]

    assert pool["last_minute"] == {"requests": 0, "failed": 0, "refused": 1}


def test_the_running_gateway(poolgate: Run, main: Account, tmp_path: Path) -> None:
    with announced(tmp_path, RunningGateway("http://127.0.0.1:1/v1", "http://127.0.0.1:1/admin/", "first")):
        result = poolgate("status", POOLGATE_HOME=str(tmp_path))
        as_json = json.loads(poolgate("status --json", POOLGATE_HOME=str(tmp_path)).stdout)

    assert "http://127.0.0.1:1/v1 (not ready)" in result.stdout
    assert "http://127.0.0.1:1/admin/" in result.stdout
    assert "'first', shown when it was created" in result.stdout
    assert as_json["gateways"][0]["ready"] is False
    assert as_json["pools"][0]["accounts"] == {"active": 1}  # as stored


def test_one_pool(poolgate: Run, main: Account, services: Services) -> None:
    services.pools.ensure("team-b")

    assert "team-b" not in poolgate("status --pool default").stdout
    assert poolgate("status --pool nowhere").exit_code == 1


def test_redis_away(poolgate: Run) -> None:
    result = poolgate("status", REDIS_URL="redis://:secret@127.0.0.1:1/0")

    assert result.exit_code == 3
    assert "The store at redis://127.0.0.1:1/0 refuses connections" in result.stdout
    assert "secret" not in result.stdout


@pytest.mark.parametrize(
    ("levels", "text"),
    [
        ((), "none"),
        ((Level.NOTE, Level.NOTE), "2 to note: see poolgate doctor"),
        ((Level.WRONG, Level.NOTE), "1 wrong, 1 to note: see poolgate doctor"),
    ],
)
def test_problems_are_counted_by_their_level(levels: tuple[Level, ...], text: str) -> None:
    problems = [Diagnostic(level, "redis", "what") for level in levels]

    assert problem_text(problems, sum(level is Level.WRONG for level in levels)) == text
