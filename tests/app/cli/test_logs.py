"""`poolgate logs`, on a real store."""

from __future__ import annotations

import importlib
import json
import time

import pytest

from app.accounts.account import Account
from app.errors import StoreUnavailable
from app.ledger.tail import LedgerTail
from app.stores.records.refusals import RefusedRequest
from app.wiring import Services
from tests.app.cli.conftest import Run
from tests.support.ledger_rows import next_millisecond, record_request

MODULE = importlib.import_module("app.cli.logs")  # the name in the package is the command


@pytest.fixture
def requests(services: Services) -> None:
    """One request that was answered, one that failed, and one that was refused."""
    services.pools.ensure("default")
    account = services.accounts.add("default", Account("", "main", "openai", "http://x"))
    ann, _ = services.api_keys.create("default", "ann")
    record = {"key": ann.id, "account": account.id}
    record_request(services.scripts, "default", time.time(), id="req_a", cost=12_000, **record)
    next_millisecond(services.scripts.client)
    failure = {"status": 502, "error": "upstream_error", "output_tokens": 0, "cost": None}
    record_request(services.scripts, "default", time.time(), id="req_b", **failure, **record)
    at, code = int(time.time() * 1000), "rate_limit_exceeded"
    next_millisecond(services.scripts.client)
    refusal = RefusedRequest("req_c", at, "m", "/v1/responses", 429, code, "no", pool="default", key=ann.id)
    services.ledger.refusal_log.add(refusal)
    services.ledger.refusal_log.flush()


def test_a_line_each(poolgate: Run, requests: None) -> None:
    lines = poolgate("logs").stdout.splitlines()

    assert [line.split()[-1] for line in lines] == ["req_a", "req_b", "req_c"]
    answered, failed, refused = lines
    assert "  200  ann   " in answered
    assert "10 in, 2 out, $0.012" in answered
    assert "300 ms" in answered
    assert "upstream_error" in failed
    assert "  refused   " in refused
    assert "rate_limit_exceeded" in refused


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ("--lines 2", ["req_b", "req_c"]),
        ("--lines 0", []),
        ("--status failed", ["req_b", "req_c"]),
        ("--account main", ["req_a", "req_b"]),
        ("--key ann --model m", ["req_c"]),
    ],
)
def test_only_some(poolgate: Run, requests: None, options: str, ids: list[str]) -> None:
    assert [line.split()[-1] for line in poolgate(f"logs {options}").stdout.splitlines()] == ids


def test_json_lines(poolgate: Run, requests: None) -> None:
    shown = [json.loads(line) for line in poolgate("logs --json").stdout.splitlines()]

    assert [(one["id"], one["status"], one["key"]["name"]) for one in shown] == [
        ("req_a", 200, "ann"),
        ("req_b", 502, "ann"),
        ("req_c", 429, "ann"),
    ]


@pytest.mark.parametrize("options", ["--key nobody", "--status 9", "--pool nowhere", "--lines 1001"])
def test_mistakes(poolgate: Run, requests: None, options: str) -> None:
    result = poolgate(f"logs {options}")

    assert result.exit_code in (1, 2)
    assert result.stderr


def test_follows(poolgate: Run, services: Services, requests: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after the store was away, until Ctrl-C."""
    waits: list[float] = []
    new = LedgerTail.new

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt
        record_request(services.scripts, "default", time.time(), id=f"req_{len(waits)}")

    def read(tail: LedgerTail) -> object:
        if len(waits) == 1:
            raise StoreUnavailable("away")
        return new(tail)

    monkeypatch.setattr(MODULE.time, "sleep", wait)
    monkeypatch.setattr(LedgerTail, "new", read)

    result = poolgate("logs --follow --lines 1")

    assert result.exit_code == 130
    assert [line.split()[-1] for line in result.stdout.splitlines()] == ["req_c", "req_1", "req_2"]
    assert "The store at" in result.stderr
    assert waits == [MODULE.POLL_SECONDS] * 3
