"""Admission against the real scripts: what they return is read as records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.stores.admissions import AdmissionRepository
from app.stores.records.admission import AdmitRequest, Refusal, RefusalKind, Selection
from app.stores.records.settlement import AttemptReport, Outcome
from tests.support.store import StoreOfTest, limit


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    store = StoreOfTest(redis_client)
    store.account("a")
    store.account("b")
    store.key("k")
    return store


def request_of(store: StoreOfTest, request_id: str = "req_1", **fields: Any) -> AdmitRequest:
    request = AdmitRequest(
        id=request_id,
        key="k",
        model="m",
        endpoint="/v1/chat/completions",
        protocol="",
        ineligible_kinds=(),
        account_kinds=(),
        accounts=(),
        demo=False,
        affinity="",
        account_id="",
        conversation="",
        ownership="",
        deadline_ms=store.now + 1000,
        ttl_ms=60_000,
        sticky_ms=0,
        calendar=store.calendar(),
        bounds={"input_tokens": 10},
        estimates={"input_tokens": 5},
        unenforced_bounds={"input_tokens": 10},
        is_stored=False,
        unreadable=(),
    )
    return replace(request, **fields)


def test_selection(store: StoreOfTest) -> None:
    store.key("k", limit("l", "requests", "minute", 5))
    selection = AdmissionRepository(store.scripts).admit(store.pool, request_of(store))

    assert isinstance(selection, Selection)
    assert selection.account_id in ("a", "b")
    assert (selection.attempt, selection.now_ms) == (1, store.now)
    (standing,) = selection.limits
    assert (standing.limit_id, standing.unit, standing.period) == ("l", "requests", "minute")
    assert (standing.maximum, standing.remaining) == (5, 4)
    assert standing.reset_ms >= store.now


def test_a_report_selects_another_account(store: StoreOfTest) -> None:
    admissions, request = AdmissionRepository(store.scripts), request_of(store)
    first = admissions.admit(store.pool, request)
    assert isinstance(first, Selection)

    report = AttemptReport(1, Outcome(), None, [first.account_id], [first.account_id])
    second = admissions.report(store.pool, request, report, store.calendar())

    assert isinstance(second, Selection)
    assert (second.attempt, second.account_id) == (2, "b" if first.account_id == "a" else "a")


def test_a_limit_without_room(store: StoreOfTest) -> None:
    store.key("k", limit("l", "input_tokens", "day", 9))
    refusal = AdmissionRepository(store.scripts).admit(store.pool, request_of(store))

    assert isinstance(refusal, Refusal)
    assert refusal.kind is RefusalKind.LIMIT
    assert refusal.limit is not None
    assert (refusal.limit.limit.id, refusal.limit.reason, refusal.limit.amount) == ("l", "never", 10)


def test_no_account(store: StoreOfTest) -> None:
    refusal = AdmissionRepository(store.scripts).admit(store.pool, request_of(store, account_id="gone"))

    assert isinstance(refusal, Refusal)
    assert refusal.accounts is not None
    assert (refusal.accounts.total, refusal.accounts.is_offered) == (2, False)


@pytest.mark.parametrize(
    ("fields", "kind"), [({"key": "gone"}, RefusalKind.KEY), ({"deadline_ms": 1}, RefusalKind.LATE)]
)
def test_other_refusals(store: StoreOfTest, fields: dict[str, Any], kind: RefusalKind) -> None:
    refusal = AdmissionRepository(store.scripts).admit(store.pool, request_of(store, **fields))

    assert isinstance(refusal, Refusal)
    assert refusal.kind is kind


def test_renewal_returns_lost_leases(store: StoreOfTest) -> None:
    admissions = AdmissionRepository(store.scripts)
    admissions.admit(store.pool, request_of(store))

    assert admissions.renew(store.pool, 60_000, ["req_1", "req_2"]) == ["req_2"]
