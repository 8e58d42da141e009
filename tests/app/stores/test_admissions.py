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


class TestWithdraw:
    """An admission that was sent to no account ends as if it had been refused."""

    @pytest.fixture
    def admissions(self, store: StoreOfTest) -> AdmissionRepository:
        store.key(
            "k",
            *(limit(f"r-{per}", "requests", per, 1) for per in ("second", "minute", "hour", "day", "ever")),
            *(limit(f"i-{per}", "input_tokens", per, 10) for per in ("minute", "month")),
            limit("p", "parallel_requests", "none", 1),
        )
        return AdmissionRepository(store.scripts)

    def admit(self, admissions: AdmissionRepository, store: StoreOfTest, **fields: Any) -> Selection:
        selection = admissions.admit(store.pool, request_of(store, **fields))
        assert isinstance(selection, Selection)
        return selection

    def test_everything_is_given_back(self, admissions: AdmissionRepository, store: StoreOfTest) -> None:
        """Each limit has room for exactly one such request, so the next one fits into each."""
        request = request_of(store, conversation="conv")
        for _ in range(3):
            selection = self.admit(admissions, store, conversation="conv")
            assert len(selection.limits) == 8
            refused = admissions.admit(store.pool, request_of(store, "another"))
            assert isinstance(refused, Refusal)

            admissions.withdraw(store.pool, request, selection.limits)

            assert store.leases() == {}
            assert (store.in_flight("a"), store.in_flight("b")) == (0, 0)
            assert store.open_request("req_1") == {}
            assert store.rows() == []
            assert store.names("*holder*") == set()

    def test_a_window_that_began_meanwhile(self, admissions: AdmissionRepository, store: StoreOfTest) -> None:
        """What was counted in the last one does not count as room in this one."""
        store.key("k", limit("r", "requests", "hour", 1))
        store.advance(3_599_999)
        request = request_of(store)
        selection = self.admit(admissions, store)
        store.advance(1)

        store.key("k", limit("r", "requests", "hour", 1))
        self.admit(admissions, store, request_id="req_2")
        admissions.withdraw(store.pool, request, selection.limits)

        assert isinstance(admissions.admit(store.pool, request_of(store, "req_3")), Refusal)

    def test_what_has_drained_is_not_given_back(
        self, admissions: AdmissionRepository, store: StoreOfTest
    ) -> None:
        """Other requests may have taken its place in a rolling window."""
        store.key("k", limit("r", "requests", "minute", 3))
        first = self.admit(admissions, store)
        store.advance(20_000)  # one request has drained
        for number in (2, 3, 4):
            self.admit(admissions, store, request_id=f"req_{number}")

        assert admissions.withdraw(store.pool, request_of(store), first.limits)

        assert isinstance(admissions.admit(store.pool, request_of(store, "req_5")), Refusal)
        assert store.counters("r")["q"] == 180_000

    def test_a_part_has_drained(self, admissions: AdmissionRepository, store: StoreOfTest) -> None:
        store.key("k", limit("r", "requests", "minute", 3))
        first = self.admit(admissions, store)
        store.advance(5_000)

        assert admissions.withdraw(store.pool, request_of(store), first.limits)

        assert store.counters("r")["q"] == 0

    def test_an_unknown_one_is_withdrawn(self, admissions: AdmissionRepository, store: StoreOfTest) -> None:
        """A failover has lost it, or it was withdrawn and the reply was lost."""
        assert admissions.withdraw(store.pool, request_of(store, "unknown"), [])

    def test_twice(self, admissions: AdmissionRepository, store: StoreOfTest) -> None:
        """A reply can be lost; nothing is given back twice."""
        store.key("k", limit("r", "requests", "day", 2))
        first = self.admit(admissions, store)
        self.admit(admissions, store, request_id="req_2")
        for _ in range(2):
            admissions.withdraw(store.pool, request_of(store), first.limits)

        self.admit(admissions, store, request_id="req_3")
        assert isinstance(admissions.admit(store.pool, request_of(store, "req_4")), Refusal)

    def test_not_once_it_is_charged(self, admissions: AdmissionRepository, store: StoreOfTest) -> None:
        """An attempt may have been billed, or the lease has expired."""
        selection = self.admit(admissions, store)
        charge = {"account": selection.account_id, "input_tokens": 3, "output_tokens": 0, "cost": 0}
        store.report("req_1", 1, charge=charge, tried=["a", "b"], never=["a", "b"])
        assert not admissions.withdraw(store.pool, request_of(store), selection.limits)
        assert store.leases() != {}

        store.advance(70_000)
        store.renew()
        assert not admissions.withdraw(store.pool, request_of(store), selection.limits)

        (row,) = store.rows()
        assert row["error"] == "lease_expired"
        assert store.open_request("req_1") != {}
