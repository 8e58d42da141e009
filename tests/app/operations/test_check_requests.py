"""Models of refused requests: those that no account has, and those that none can serve."""

from __future__ import annotations

import time
from typing import Any

from app.accounts.account import Account
from app.operations.check_requests import check_refused_models
from app.operations.diagnostic import Diagnostic, Level
from app.operations.stored_accounts import read_accounts
from app.stores.records.refusals import RefusedRequest

POOL = "default"


def refuse(services: Any, model: str, *, code: str = "model_not_found", age_seconds: float = 0) -> None:
    services.ledger.refusal_log.add(
        RefusedRequest(
            id=f"req_{model}",
            at_ms=int((time.time() - age_seconds) * 1000),
            model=model,
            endpoint="/v1/responses",
            status=404,
            code=code,
            message="No",
            pool=POOL,
            key=services.api_keys.find(POOL, "ann").id,
        )
    )
    services.ledger.refusal_log.flush()


def found(services: Any) -> list[Diagnostic]:
    stores = services.doctor._stores
    routes = services.routes.current(POOL)
    return [*check_refused_models(stores, POOL, read_accounts(stores, POOL), routes, time.time())]


def test_models_that_no_account_lists(services: Any) -> None:
    """Of the last day, and only those that are missing still."""
    services.pools.ensure(POOL)
    services.api_keys.create(POOL, "ann")
    services.accounts.add(POOL, Account("", "main", "openai", "http://x", models=("here",), credential="k"))
    refuse(services, "old", age_seconds=2 * 86400)
    refuse(services, "here")
    refuse(services, "limited", code="rate_limit_exceeded")
    assert found(services) == []

    refuse(services, "gpt-9")

    (one,) = found(services)
    assert one.what == "models were requested that no account lists: gpt-9"


def test_models_that_no_account_can_serve(services: Any) -> None:
    """Of the last hour, only while that holds, and not if an account is out for seconds."""
    services.pools.ensure(POOL)
    services.api_keys.create(POOL, "ann")
    for name in ("alpha", "beta"):
        services.accounts.add(
            POOL, Account("", f"has-{name}", "openai", "http://x", models=(name,), credential="k")
        )
    for name in ("alpha", "alpha", "beta"):
        refuse(services, name, code="no_accounts")
    refuse(services, "alpha", code="no_accounts", age_seconds=2 * 3600)
    assert found(services) == []
    suspected = {"state": "suspected", "reason": "cut", "wait_ms": 60_000, "retest_wait_ms": 60_000}
    services.accounts.observe(POOL, services.accounts.find(POOL, "has-beta").id, {}, outcome=suspected)

    services.accounts.pause(POOL, "has-alpha")

    (one,) = found(services)
    assert (one.level, one.where) == (Level.WRONG, POOL)
    assert one.what == "no account can serve alpha; at least 2 requests were refused in the last hour"
    assert one.remedy == "poolgate model resolve MODEL shows why"
    services.accounts.pause(POOL, "has-beta")
    assert found(services) == []  # every account is out of use: another finding
