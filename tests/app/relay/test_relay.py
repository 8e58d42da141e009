"""The one flow of all requests: what was admitted is settled once, however it ends."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from app.accounts.account import Account
from app.config import Settings, TimeLimits
from app.errors import InvalidApiKey, UpstreamRejected, UpstreamTimeout
from app.relay import relay as relay_module
from app.relay.attempt import AttemptInputs
from app.relay.context import RequestContext
from app.relay.endpoint_types import MODEL
from app.relay.lost_replies import LostReplies
from app.relay.relay import Relay, RelayServices
from app.relay.request_record import RequestRecord
from app.relay.timeouts import AttemptDeadlines
from app.relay.timing import Timing
from app.relay.waiting import WaitingRequests
from app.stores.records.admission import Refusal, RefusalKind, Selection
from app.streaming.events import Event
from app.streaming.usage import Usage
from tests.support.garbage import garbage_of
from tests.support.relay import FakeAttempt, FakeReader, make_request

BATCHES: tuple[list[Event] | None, ...] = ([Event({"n": 1})], None, [Event({"n": 2})])
INVALID_KEY = Refusal(RefusalKind.KEY, reason="unknown")


class Gateway:
    """A relay over fakes: its account answers with the attempts of *attempts* in turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *attempts: FakeAttempt) -> None:
        self.now = 100.0
        self.reply: Selection | Refusal = Selection("a", 1, 1, 1000)
        self.begun: list[AttemptInputs] = []
        self.settled: list[Any] = []
        self.open: list[str] = []
        self._attempts = list(attempts)
        services: Any = {
            "admissions": SimpleNamespace(admit=lambda pool, request: self.reply),
            "accounts": SimpleNamespace(
                get=self._account,
                unreadable=lambda pool: [],
                all=lambda pool: [],
                learn_unknown_usage=lambda pool, account, names: None,
            ),
            "known_models": SimpleNamespace(lacks=lambda *_, **__: False),
            "upstream": None,
            "active": SimpleNamespace(waiting=WaitingRequests(), track=self._track),
            "settlements": SimpleNamespace(settle=lambda pool, settlement: self.settled.append(settlement)),
            "prices": SimpleNamespace(table=lambda pool, version: SimpleNamespace(find=lambda model: None)),
            "lost_replies": LostReplies(),
            "refresher": SimpleNamespace(refresh_after_401=lambda pool, account: None),
        }
        monkeypatch.setattr(relay_module, "endpoint_type_of", lambda _: replace(MODEL, begin=self._begin))
        timing = Timing(lambda: self.now, lambda: 0.0, random.Random(1))
        self.relay = Relay(Settings(limits=TimeLimits(total=50)), RelayServices(**services), timing=timing)

    def _account(self, pool: str, account_id: str, version: int) -> Account:
        return Account(account_id, account_id, "openai", "http://127.0.0.1:1/v1")

    def _begin(self, inputs: AttemptInputs) -> Any:
        self.begun.append(inputs)
        attempt = self._attempts.pop(0)
        attempt.inputs = inputs
        return attempt

    @contextmanager
    def _track(self, context: RequestContext) -> Iterator[None]:
        self.open.append(context.request_id)
        try:
            yield
        finally:
            self.open.remove(context.request_id)

    def stream(self, record: RequestRecord, **fields: Any) -> Iterator[Any]:
        context = make_request(**fields)
        return self.relay.stream(context, record, self.relay.start_progress(context))

    def row(self) -> dict[str, Any]:
        """Return the ledger row of the only settlement."""
        (settlement,) = self.settled
        row: dict[str, Any] = settlement["row"]
        return row


def test_a_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every batch is passed on, keep-alives as None; the request is open until it is settled."""
    gateway = Gateway(monkeypatch, FakeAttempt(batches=BATCHES, reader=FakeReader(Usage(3, 4, 7))))
    stream = gateway.stream(RequestRecord())

    received = [next(stream)]
    assert (gateway.open, gateway.settled) == (["req_1"], [])
    received += stream

    assert received == list(BATCHES)
    assert gateway.open == []
    row = gateway.row()
    assert (row["status"], row["account"], row["source"]) == (200, "a", "upstream")
    assert (row["input_tokens"], row["output_tokens"]) == (3, 4)


def test_an_ended_request_needs_no_garbage_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record, its attempts and their deadlines are in no reference cycle."""
    gateway = Gateway(monkeypatch, FakeAttempt(batches=BATCHES))

    with garbage_of(RequestRecord, AttemptDeadlines) as garbage:
        list(gateway.stream(RequestRecord()))
        gateway.begun.clear()

    assert garbage == []


def test_nothing_is_settled_without_an_admission(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway(monkeypatch)
    gateway.reply = INVALID_KEY

    with pytest.raises(InvalidApiKey):
        list(gateway.stream(RequestRecord()))

    assert (gateway.settled, gateway.begun) == ([], [])


def test_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fallback that would begin after the deadline of the request is not admitted."""
    gateway = Gateway(monkeypatch)
    context = make_request()
    progress = gateway.relay.start_progress(context)
    assert progress.deadline == gateway.now + 50
    gateway.now += 50

    with pytest.raises(UpstreamTimeout):
        next(gateway.relay.stream(context, RequestRecord(), progress))

    assert gateway.settled == []


def test_the_client_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway(monkeypatch, FakeAttempt(batches=BATCHES))
    stream: Any = gateway.stream(RequestRecord())
    next(stream)
    gateway.now += 2

    stream.close()

    row = gateway.row()
    assert (row["status"], row["error"], row["total_ms"]) == (499, "client_gone", 2000)
    assert gateway.open == []


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UpstreamRejected("no", status=400, type="invalid_request_error", code="bad"), 400, "bad"),
        (RuntimeError("a defect"), 500, "server_error"),
    ],
)
def test_a_failure(monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str) -> None:
    gateway = Gateway(monkeypatch, FakeAttempt(error=error))

    with pytest.raises(type(error)):
        list(gateway.stream(RequestRecord()))

    row = gateway.row()
    assert (row["status"], row["error"]) == (status, code)


def test_a_stored_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs no account, and costs nothing."""
    gateway = Gateway(monkeypatch)
    record = RequestRecord()
    record.stored = [Event({"n": 1})]

    assert list(gateway.stream(record)) == [record.stored]

    assert gateway.begun == []
    row = gateway.row()
    assert (row["source"], row["input_tokens"], row["cost"]) == ("cache", 0, 0)


class TestInputRatio:
    def test_learned_from_reports(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The estimated input of the next request to the model depends on the usage reported for this one."""
        body = {"model": "m", "messages": [{"role": "user", "content": "x" * 400}]}
        usage = FakeReader(Usage(1000, 1, 1001))
        gateway = Gateway(monkeypatch, FakeAttempt(reader=usage), FakeAttempt(reader=usage))
        first, second = RequestRecord(), RequestRecord()

        for record in (first, second):
            list(gateway.stream(record, body=body, body_bytes=450))

        assert first.input_ratio == 1
        assert second.input_ratio == pytest.approx(1000 / first.bounds.estimate["input_tokens"])

    def test_not_from_estimates(self, monkeypatch: pytest.MonkeyPatch) -> None:
        gateway = Gateway(monkeypatch, FakeAttempt(), FakeAttempt())
        records = [RequestRecord(), RequestRecord()]

        for record in records:
            list(gateway.stream(record))

        assert [record.input_ratio for record in records] == [1, 1]
