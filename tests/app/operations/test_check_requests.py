"""Models that callers want and no account has."""

from __future__ import annotations

import time
from typing import Any

from app.accounts.account import Account
from app.operations.check_accounts import read_accounts
from app.operations.check_requests import check_missing_models
from app.stores.records.refusals import Refusal

POOL = "default"


def refuse(services: Any, model: str, *, code: str = "model_not_found", age_seconds: float = 0) -> None:
    services.ledger.refusal_log.add(
        Refusal(
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


def test_models_that_no_account_lists(services: Any) -> None:
    """Of the last day, and only those that are missing still."""
    services.pools.ensure(POOL)
    services.api_keys.create(POOL, "ann")
    services.accounts.add(POOL, Account("", "main", "openai", "http://x", models=("here",), credential="k"))
    records = read_accounts(services.doctor._stores, POOL)
    refuse(services, "old", age_seconds=2 * 86400)
    refuse(services, "here")
    refuse(services, "limited", code="rate_limit_exceeded")
    assert list(check_missing_models(services.doctor._stores, POOL, records, time.time())) == []

    refuse(services, "gpt-9")

    (one,) = check_missing_models(services.doctor._stores, POOL, records, time.time())
    assert one.what == "models were requested that no account lists: gpt-9"
