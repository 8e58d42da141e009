"""The admission of one request: waits, other calendars, unreadable credentials, and errors."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from app.accounts.account import Account
from app.config import Settings, TimeLimits
from app.errors import (
    CredentialUnreadable,
    InvalidApiKey,
    InvalidRequest,
    ModelNotFound,
    NoAccounts,
    NotFound,
    PoolLimited,
    StoreUnavailable,
)
from app.limits.bounds import Bounds
from app.relay.admission import Admission
from app.relay.admission_inputs import AdmissionServices, RequestPlan
from app.relay.affinity import conversation_holder_of
from app.relay.endpoint_types import MODEL
from app.relay.lost_replies import LostReplies
from app.relay.progress import RequestProgress
from app.relay.timing import Timing
from app.relay.waiting import EarlierModelsDue, WaitingRequests
from app.stores.calendar import Calendar
from app.stores.records.admission import (
    AccountsRefusal,
    AdmitRequest,
    LimitStanding,
    Refusal,
    RefusalKind,
    Selection,
)
from app.stores.records.api_keys import ApiKey
from app.stores.records.settlement import AttemptReport, Outcome
from app.translation.requests.account_requirements import AccountRequirements
from tests.support.metrics import sample
from tests.support.relay import make_request

SELECTED = Selection("a", 1, 1, 1000)
BUSY = Refusal(
    RefusalKind.NO_ACCOUNTS, accounts=AccountsRefusal(total=1, is_offered=True, able={"busy": 1}, busy=1)
)
WAITS = replace(BUSY, accounts=replace(BUSY.accounts or AccountsRefusal(), waiting_before=0))
UNOFFERED = Refusal(RefusalKind.NO_ACCOUNTS, accounts=AccountsRefusal(total=1, able={"missing": 1}))


class Store:
    """Gives *replies* in turn, and records the requests."""

    def __init__(self, *replies: Selection | Refusal) -> None:
        self._replies = list(replies)
        self.admitted: list[AdmitRequest] = []
        self.reported: list[tuple[AdmitRequest, AttemptReport]] = []
        self.left: list[str] = []
        self.withdrawn: list[str] = []
        self.calendars: list[Any] = []
        self.cancelled: list[tuple[str, str]] = []
        self.may_withdraw = True
        self.lost_replies = LostReplies()

    def admit(self, pool: str, request: AdmitRequest) -> Selection | Refusal:
        self.admitted.append(request)
        return self._replies.pop(0)

    def withdraw(self, pool: str, request: AdmitRequest, limits: Any) -> bool:
        self.withdrawn.append(request.id)
        return self.may_withdraw

    def cancel(self, pool: str, request_id: str, conversation: str) -> None:
        self.cancelled.append((request_id, conversation))

    def leave_queue(self, pool: str, request_id: str) -> None:
        self.left.append(request_id)

    def report(
        self, pool: str, request: AdmitRequest, report: AttemptReport, calendar: Any
    ) -> Selection | Refusal:
        self.reported.append((request, report))
        self.calendars.append(calendar)
        return self._replies.pop(0)


class Accounts:
    """Accounts; this process cannot read the credentials of those in *unreadable*."""

    def __init__(self, unreadable: tuple[str, ...] = ()) -> None:
        self._cannot_read = unreadable
        self._found: list[str] = []

    def get(self, pool: str, account_id: str, version: int) -> Account:
        if account_id in self._cannot_read:
            self._found.append(account_id)
            raise CredentialUnreadable
        return Account(account_id, account_id, "openai", "http://127.0.0.1:1/v1")

    def unreadable(self, pool: str) -> list[str]:
        return list(self._found)

    def all(self, pool: str) -> list[Account]:
        return [Account("a", "a", "openai", "http://127.0.0.1:1/v1")]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def admission(store: Store, accounts: Any = None, *, lacks: bool = False, **fields: Any) -> Admission:
    clock = Clock()

    def lacks_model(
        pool: str, model: str, account_ids: Collection[str] = (), unlisted_kinds: Collection[str] = ()
    ) -> bool:
        return lacks

    models: Any = SimpleNamespace(lacks=lacks_model)
    services = AdmissionServices(
        settings=Settings(),
        admissions=store,  # type: ignore[arg-type]
        accounts=accounts or Accounts(),
        known_models=models,
        calendar=Calendar(),
        waiting=WaitingRequests(),
        lost_replies=store.lost_replies,
        timing=Timing(clock, lambda: 0.0, random.Random(1)),
        demo=False,
    )
    plan = RequestPlan(
        MODEL, AccountRequirements(), None, Bounds({}, {"input_tokens": 1}), False, TimeLimits()
    )
    return Admission(services, make_request(cancellation=clock, **fields), plan)


def admit(one: Admission, *, deadline: float = 600.0) -> Selection:
    ticks = one.admit(RequestProgress(0.0, deadline, 0.0))
    while True:
        try:
            next(ticks)
        except StopIteration as end:
            selection: Selection = end.value
            return selection


def waits_counted(outcome: str) -> float:
    return sample("poolgate_queue_seconds_count", outcome=outcome) or 0.0


def test_a_busy_account_is_waited_for() -> None:
    store = Store(BUSY, WAITS, SELECTED)

    assert admit(admission(store)) is SELECTED
    deadlines = [request.deadline_ms for request in store.admitted]
    assert deadlines == sorted(set(deadlines))
    assert [request.queue_length > 0 for request in store.admitted] == [False, True, True]
    assert not store.left


class TestQueue:
    def test_the_wait_is_measured(self) -> None:
        waited = admission(Store(BUSY, *[WAITS] * 20, SELECTED))
        admit(waited)
        at_once = admission(Store(SELECTED))
        admit(at_once)

        assert 400 < waited.queued_ms < 1500
        assert at_once.queued_ms == 0

    def test_a_refusal_has_the_wait(self) -> None:
        before = waits_counted("refused")
        with pytest.raises(PoolLimited) as refused:
            admit(admission(Store(BUSY, *[WAITS] * 1000)))

        assert refused.value.admission["queued_ms"] >= 10_000
        assert refused.value.admission["accounts"]["total"] == 1
        assert waits_counted("refused") == before + 1

    def test_a_refusal_at_its_end_is_an_http_status(self) -> None:
        """No keep-alive, which would begin a response with status 200, is sent in the last seconds."""
        waited = admission(Store(BUSY, *[WAITS] * 1000))

        with pytest.raises(PoolLimited):
            next(waited.admit(RequestProgress(0.0, 600.0, 0.0)))
        assert waited.queued_ms >= 10_000

    def test_keepalives_of_a_longer_one(self) -> None:
        waited = admission(Store(BUSY, *[WAITS] * 1000), key=ApiKey("k", "k", "p", queue_seconds=25.0))
        progress = RequestProgress(0.0, 600.0, 0.0)
        ticks = waited.admit(progress)
        next(ticks)
        assert progress.sent_at == pytest.approx(10, abs=0.5)
        next(ticks)
        assert progress.sent_at == pytest.approx(20, abs=0.5)

        with pytest.raises(PoolLimited):
            next(ticks)

    def test_no_place_is_left(self) -> None:
        store = Store(BUSY, BUSY)

        with pytest.raises(PoolLimited):
            admit(admission(store))

    def test_a_place_is_given_up_when_the_time_is_over(self) -> None:
        store = Store(BUSY, *[WAITS] * 1000)

        with pytest.raises(PoolLimited):
            admit(admission(store))
        assert store.left == [store.admitted[0].id]

    def test_a_place_is_given_up_when_the_request_is_refused(self) -> None:
        store = Store(BUSY, WAITS, Refusal(RefusalKind.KEY, reason="disabled"))

        with pytest.raises(InvalidApiKey):
            admit(admission(store))
        assert store.left

    def test_a_place_is_given_up_when_the_client_leaves(self) -> None:
        store = Store(BUSY, *[WAITS] * 1000)
        one = admission(store)
        one._plan.time_limits = TimeLimits(keepalive=0.1)  # type: ignore[misc]
        ticks = one.admit(RequestProgress(0.0, 600.0, 0.0))
        before = waits_counted("left")
        next(ticks)
        assert sample("poolgate_requests_waiting") == 1
        ticks.close()

        assert store.left
        assert waits_counted("left") == before + 1
        assert sample("poolgate_requests_waiting") == 0

    def test_a_store_that_is_away_lets_the_place_expire(self) -> None:
        class Away(Store):
            def leave_queue(self, pool: str, request_id: str) -> None:
                raise StoreUnavailable("away")

        with pytest.raises(PoolLimited):
            admit(admission(Away(BUSY, *[WAITS] * 1000)))


def test_not_past_the_deadline() -> None:
    with pytest.raises(PoolLimited):
        admit(admission(Store(BUSY)), deadline=0.0)


class Replies(Store):
    """A store that raises the errors among its replies."""

    def admit(self, pool: str, request: AdmitRequest) -> Selection | Refusal:
        reply: Any = super().admit(pool, request)
        if isinstance(reply, Exception):
            raise reply
        return reply  # type: ignore[no-any-return]


class TestLate:
    """The store refuses an admission that reaches it after its deadline."""

    LATE = Refusal(RefusalKind.LATE, now_ms=5_000_000.0)

    def test_it_is_sent_again_with_the_time_of_the_store(self) -> None:
        store = Store(self.LATE, SELECTED)

        assert admit(admission(store)) is SELECTED

        first, second = (request.deadline_ms for request in store.admitted)
        timeout_ms = Settings().store_timeout_seconds * 1000
        assert first < self.LATE.now_ms + timeout_ms <= second < self.LATE.now_ms + timeout_ms + 100

    def test_once(self) -> None:
        store = Store(self.LATE, self.LATE, SELECTED)

        with pytest.raises(StoreUnavailable, match="too busy or too slow"):
            admit(admission(store))

        assert len(store.admitted) == 2
        assert len(store.lost_replies) == 0

    def test_later_tries_have_a_deadline_by_the_new_time(self) -> None:
        store = Store(self.LATE, BUSY, WAITS, SELECTED)

        assert admit(admission(store)) is SELECTED

        assert all(request.deadline_ms > self.LATE.now_ms for request in store.admitted[1:])

    def test_a_report_of_a_day_that_has_not_begun_is_sent_again(self) -> None:
        store = Store(Refusal(RefusalKind.CALENDAR, now_ms=86_399_999_000.0), SELECTED)

        assert admission(store).report(AttemptReport(1)) is SELECTED

        first, second = (calendar["day"][0] for calendar in store.calendars)
        assert second == 86_313_600_000 != first


class TestLostReply:
    """The store may have admitted a request although its reply was lost."""

    def test_the_admission_is_cancelled_when_the_store_answers(self) -> None:
        store = Replies(StoreUnavailable("away"))  # type: ignore[arg-type]

        with pytest.raises(StoreUnavailable):
            admit(admission(store, request_id="req_9", conversation="resp_1"))
        assert store.lost_replies.flush() == 0

        assert store.cancelled == [("req_9", conversation_holder_of("resp_1"))]

    def test_of_a_request_in_the_queue(self) -> None:
        store = Replies(BUSY, WAITS, StoreUnavailable("away"))  # type: ignore[arg-type]

        with pytest.raises(StoreUnavailable):
            admit(admission(store))
        store.lost_replies.flush()

        assert store.cancelled == [("req_1", "")]

    def test_of_a_second_try(self) -> None:
        store = Replies(TestLate.LATE, StoreUnavailable("away"))  # type: ignore[arg-type]

        with pytest.raises(StoreUnavailable):
            admit(admission(store))

        assert len(store.lost_replies) == 1

    def test_a_refusal_holds_nothing(self) -> None:
        store = Store(BUSY)

        with pytest.raises(PoolLimited):
            admit(admission(store), deadline=0.0)

        assert len(store.lost_replies) == 0


def test_another_calendar_is_admitted_again() -> None:
    store = Store(Refusal(RefusalKind.CALENDAR, now_ms=86_400_000_000.0), SELECTED)
    one = admission(store)

    assert admit(one) is SELECTED
    assert store.admitted[0].calendar != store.admitted[1].calendar == one.calendar


class TestInterruptedWait:
    """The wait for the last model is interrupted to try those that were passed over."""

    OTHER = make_request(request_id="other")

    def progress(self, fallbacks_left: int = 0) -> RequestProgress:
        return RequestProgress(0.0, 600.0, 0.0, fallbacks_left=fallbacks_left, passed_over=(self.OTHER,))

    def interrupt(self, one: Admission, progress: RequestProgress) -> None:
        with pytest.raises(EarlierModelsDue):
            list(one.admit(progress))

    def test_it_goes_on_with_the_same_place(self) -> None:
        store, progress = Store(BUSY, *[WAITS] * 1000), self.progress()
        self.interrupt(admission(store), progress)
        assert 1 <= progress.queued_seconds < 2.5
        assert store.left == []

        again = admission(Store(BUSY, WAITS, SELECTED))
        counted = waits_counted("admitted")
        list(again.admit(progress))

        assert again.queued_ms > 1000
        assert waits_counted("admitted") == counted + 1
        assert progress.leave_queue is None

    def test_another_model_is_admitted_meanwhile(self) -> None:
        store, progress = Store(BUSY, *[WAITS] * 1000), self.progress()
        self.interrupt(admission(store), progress)
        progress.fallbacks_left = 1
        other = admission(Store(SELECTED))
        counted = waits_counted("admitted")
        list(other.admit(progress))

        assert store.left == [store.admitted[0].id]
        assert other.queued_ms > 1000
        assert waits_counted("admitted") == counted + 1

    def test_the_place_is_given_up_at_the_end(self) -> None:
        store, progress = Store(BUSY, *[WAITS] * 1000), self.progress()
        self.interrupt(admission(store), progress)
        progress.queued_seconds = 10.0
        counted = waits_counted("refused")

        with pytest.raises(PoolLimited):
            list(admission(Store(BUSY)).admit(progress))
        assert store.left
        assert waits_counted("refused") == counted + 1

    def test_models_that_are_passed_over(self) -> None:
        progress = RequestProgress(0.0, 600.0, 0.0, fallbacks_left=2)
        for reply in (BUSY, UNOFFERED):
            with pytest.raises((ModelNotFound, PoolLimited)):
                list(admission(Store(reply)).admit(progress))

        assert len(progress.passed_over) == 1

    def test_no_model_was_passed_over(self) -> None:
        progress = RequestProgress(0.0, 600.0, 0.0)

        with pytest.raises(PoolLimited):
            list(admission(Store(BUSY, *[WAITS] * 1000)).admit(progress))
        assert progress.queued_seconds >= 9.9


class TestUnreadable:
    def test_another_account_is_selected(self) -> None:
        """Under the limits of the admission, whose standing is reported to the caller."""
        standing = LimitStanding("l", "requests", "day", 5, 4, 0)
        store = Store(replace(SELECTED, limits=[standing]), Selection("b", 1, 2))

        selection = admit(admission(store, Accounts(unreadable=("a",))))

        assert selection == Selection("b", 1, 2, now_ms=1000, limits=[standing])
        request, report = store.reported[0]
        assert (report.attempt, request.unreadable) == (1, ["a"])
        assert store.withdrawn == []

    def test_after_an_attempt_that_is_charged(self) -> None:
        """An attempt that was not sent does not repeat the report that led to it."""
        store, other = Store(Selection("a", 1, 2), Selection("b", 1, 3)), Accounts(unreadable=("a",))
        failed = AttemptReport(1, Outcome({"ok": False}), charge={"cost": 5}, tried=("z",))

        assert admission(store, other).report(failed) == Selection("b", 1, 3)

        (_, report) = store.reported[1]
        assert (report.attempt, report.charge, report.outcome.arguments()) == (2, None, {})
        assert report.tried == ("z",)

    def test_none_is_left(self) -> None:
        """The admission is withdrawn, so that the refusal is the same as once the account is known."""
        unreadable = replace(BUSY, accounts=AccountsRefusal(total=1, is_offered=True, able={"unreadable": 1}))
        store = Store(SELECTED, BUSY, unreadable)

        with pytest.raises(CredentialUnreadable):
            admit(admission(store, Accounts(unreadable=("a",))))

        assert [request.unreadable for request in store.admitted] == [[], ["a"]]
        assert store.withdrawn == [store.admitted[0].id]

    def test_one_that_is_busy_is_waited_for(self) -> None:
        """As by a request that finds the account in the list of those that cannot be read."""
        store = Store(SELECTED, BUSY, BUSY, WAITS, Selection("b", 1, 1))

        selection = admit(admission(store, Accounts(unreadable=("a",))))

        assert selection.account_id == "b"
        assert len(store.withdrawn) == 1

    def test_the_store_goes_away_meanwhile(self) -> None:
        """The admission may still stand, so the request goes on, fails and is settled."""

        class GoesAway(Store):
            def withdraw(self, pool: str, request: AdmitRequest, limits: Any) -> bool:
                raise StoreUnavailable("away")

        selection = admit(admission(GoesAway(SELECTED, BUSY), Accounts(unreadable=("a",))))

        assert selection == SELECTED

    def test_its_lease_expired_meanwhile(self) -> None:
        """Admitted again, it would get the expired selection each time, so it fails and is corrected."""
        store = Store(SELECTED, Refusal(RefusalKind.LEASE))
        store.may_withdraw = False

        assert admit(admission(store, Accounts(unreadable=("a",)))) == SELECTED

    def test_an_account_that_was_removed_meanwhile(self) -> None:
        """The admission stands: it is settled once its attempt fails."""

        class Removed(Accounts):
            def get(self, pool: str, account_id: str, version: int) -> Account:
                raise InvalidRequest("There is no such account")

        assert admit(admission(Store(SELECTED), Removed())) == SELECTED

    def test_a_stored_response_needs_no_account(self) -> None:
        store = Store(Selection("", 0, 1))
        one = admission(store, Accounts(unreadable=("",)))
        one._plan = replace(one._plan, is_stored=True)

        assert admit(one) == Selection("", 0, 1)


class TestErrors:
    def test_a_conversation_of_another_key(self) -> None:
        one = admission(Store(), conversation="conv_1")

        assert isinstance(one.error_for(Refusal(RefusalKind.CONVERSATION)), NotFound)

    def test_a_key_that_was_disabled_meanwhile(self) -> None:
        error = admission(Store()).error_for(Refusal(RefusalKind.KEY, reason="disabled"))

        assert isinstance(error, InvalidApiKey)
        assert "disabled" in error.message

    def test_a_model_that_no_account_has_comes_before_any_limit(self) -> None:
        assert isinstance(admission(Store(), lacks=True).error_for(UNOFFERED), ModelNotFound)

    def test_no_account_of_the_pool_is_available(self) -> None:
        refusal = Refusal(
            RefusalKind.NO_ACCOUNTS, accounts=AccountsRefusal(total=1, is_offered=True, able={"paused": 1})
        )

        assert isinstance(admission(Store()).error_for(refusal), NoAccounts)
