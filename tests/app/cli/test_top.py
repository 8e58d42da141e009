"""`poolgate top`, on a real store."""

from __future__ import annotations

import importlib
import json
import time

import pytest

from app.accounts.account import Account
from app.errors import StoreUnavailable
from app.stores import keys
from app.stores.records.refusals import RefusedRequest
from app.wiring import Services
from tests.app.cli.conftest import Run
from tests.support.ledger_rows import record_request

MODULE = importlib.import_module("app.cli.top")  # the name in the package is the command


@pytest.fixture
def load(services: Services, redis_client: object) -> None:
    """Two requests and a failure of ann and of a removed key, two open ones, one that waits."""
    services.pools.ensure("default")
    account = services.accounts.add("default", Account("", "main", "openai", "http://x", cap=7))
    services.accounts.add("default", Account("", "idle", "openai", "http://x"))
    services.accounts.list_models("default", account.id, ["gpt-5"])
    ann, _ = services.api_keys.create("default", "ann")
    now = time.time()
    for _ in range(2):
        record_request(
            services.scripts,
            "default",
            now,
            key=ann.id,
            account=account.id,
            input_tokens=600,
            output_tokens=60,
        )
    record_request(services.scripts, "default", now, account=account.id, status=502, output_tokens=0)
    redis_client.zadd(keys.leases("default"), {"req_1": 4e15, "req_2": 4e15})
    redis_client.zadd(keys.queue("default"), {"req_3": 1})


def test_once(poolgate: Run, load: None) -> None:
    """A pipe gets it once without the option, too."""
    result = poolgate("top --once")

    rows = [line.split() for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].endswith(": 2 open, 1 waiting")
    assert ["ann", "2", "0", "20.0", "2.0"] in rows
    assert ["main", "3", "1", "20.2", "2.0", "0", "7", "active"] in rows
    assert ["idle", "0", "0", "0.0", "0.0", "0", "100", "not", "used", "yet"] in rows
    assert ["gpt-5", "3", "1", "20.2", "2.0"] in rows
    assert len(poolgate("top").stdout.splitlines()) == len(rows)


def test_a_failure_after_which_another_model_answered(poolgate: Run, services: Services) -> None:
    """It is one of its model and account, not of its caller."""
    services.pools.ensure("default")
    now = time.time()
    for row in ({"model": "gpt-5", "status": 502}, {"model": "o3", "fallbacks": 1}):
        record_request(services.scripts, "default", now, **row)

    shown = json.loads(poolgate("top --json").stdout)

    assert (shown["total"]["requests"], shown["total"]["failed"]) == (1, 0)
    assert [(load["requests"], load["failed"]) for load in shown["by"]["key"]] == [(1, 0)]
    assert "Last minute: 1 request, 0 failed" in poolgate("top").stdout
    assert {load["model"]: load["failed"] for load in shown["by"]["model"]} == {"gpt-5": 1, "o3": 0}


def test_what_was_recorded_late(poolgate: Run, services: Services) -> None:
    """A request counts when it ended; a correction of its charge is no request, but its tokens count."""
    services.pools.ensure("default")
    now = time.time()
    record_request(services.scripts, "default", now - 100, total_ms=20_000)
    record_request(services.scripts, "default", now - 100, total_ms=60_000, input_tokens=600)
    record_request(services.scripts, "default", now, source="corrected", input_tokens=-300, output_tokens=0)

    total = json.loads(poolgate("top --json").stdout)["total"]

    assert (total["requests"], total["failed"], total["input_tokens_per_second"]) == (1, 0, 5.0)


def test_json(poolgate: Run, load: None) -> None:
    shown = json.loads(poolgate("top --json").stdout)

    assert (shown["open_requests"], shown["waiting_requests"]) == (2, 1)
    assert shown["by"]["key"][0] == {
        "key": "ann",
        "requests": 2,
        "failed": 0,
        "input_tokens_per_second": 20.0,
        "output_tokens_per_second": 2.0,
    }
    assert [(one["account"], one["state"]) for one in shown["accounts"]] == [
        ("idle", "active"),  # as stored
        ("main", "active"),
    ]


def test_refusals_of_the_last_minute(poolgate: Run, services: Services) -> None:
    """All are counted, although the details of only some are stored."""
    services.pools.ensure("default")
    key, _ = services.api_keys.create("default", "ann")
    at = int(time.time() * 1000)
    for code, number in (("model_not_found", 1), ("rate_limit_exceeded", 150)):
        for _ in range(number):
            refusal = RefusedRequest(
                "req_9", at, "m", "/v1/responses", 429, code, "no", pool="default", key=key.id
            )
            services.ledger.refusal_log.add(refusal)
    services.ledger.refusal_log.flush()

    assert "refused: 150 rate_limit_exceeded, 1 model_not_found\n" in poolgate("top --once").stdout
    assert json.loads(poolgate("top --json").stdout)["refused"]["rate_limit_exceeded"] == 150


def test_no_such_pool(poolgate: Run, services: Services) -> None:
    assert poolgate("top --pool nowhere").exit_code == 1


def test_refreshes_on_a_terminal(poolgate: Run, load: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place, also after the store was away, until Ctrl-C."""
    read_snapshot, failures = MODULE.read_snapshot, iter([None, StoreUnavailable("away"), None])
    waits: list[float] = []

    def read_or_fail(services: Services, pool: str) -> object:
        if (error := next(failures)) is not None:
            raise error
        return read_snapshot(services, pool)

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(MODULE, "read_snapshot", read_or_fail)
    monkeypatch.setattr(MODULE, "terminal_width", lambda: 100)
    monkeypatch.setattr(MODULE.time, "sleep", wait)

    result = poolgate("top")

    assert result.exit_code == 130
    assert result.stdout.count("2 open, 1 waiting") == 2
    assert "The store at" in result.stdout
    assert waits == [MODULE.REFRESH_SECONDS] * 3
