"""Requests, accounts and attempts for tests of the relay that start no process."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from app.accounts.account import Account
from app.relay.attempt import AttemptInputs, ResponseHead
from app.relay.context import Caller, ModelRequest, RequestContext, ResponseOptions, RoutingConstraints
from app.stores.records.api_keys import ApiKey
from app.streaming.events import Event
from app.streaming.usage import Usage
from app.translation.requests.upstream_request import UpstreamRequest
from app.upstream.cancellation import Cancellation

_REQUEST = (
    "client_protocol",
    "endpoint",
    "model",
    "body",
    "body_bytes",
    "requested_model",
    "raw_body",
    "response_model",
)
_ROUTING = ("account_kinds", "accounts", "account_id", "ownership", "conversation", "affinity")
_CALLER = ("key", "cancellation", "headers", "trace")
_OWN = ("request_id", "fallbacks")


def make_request(**fields: Any) -> RequestContext:
    """Return the context of a chat request; *fields* may be fields of any of its parts."""
    request = {
        "client_protocol": "chat",
        "endpoint": "/v1/chat/completions",
        "model": "m",
        "body": {"model": "m"},
    } | {name: fields.pop(name) for name in _REQUEST if name in fields}
    caller = {"key": ApiKey("k", "k", "p"), "cancellation": Cancellation()} | {
        name: fields.pop(name) for name in _CALLER if name in fields
    }
    routing = {name: fields.pop(name) for name in _ROUTING if name in fields}
    own = {"request_id": "req_1"} | {name: fields.pop(name) for name in _OWN if name in fields}
    return RequestContext(
        caller=Caller(**caller),
        request=ModelRequest(**request),
        routing=RoutingConstraints(**routing),
        options=ResponseOptions(**fields),
        **own,
    )


class FakeReader:
    """Reports what an attempt has observed, as the test defines it."""

    def __init__(
        self,
        usage: Usage | None = None,
        *,
        reported: bool = True,
        output_bytes: int = 0,
        deltas: int = 0,
        finish: str | None = None,
        service_tier: str | None = None,
    ) -> None:
        self.usage = usage
        self.reported_usage = usage if reported else None
        self.output_bytes = output_bytes
        self.deltas = deltas
        self.finish = finish
        self.service_tier = service_tier
        self.has_calls = False

    def can_end(self) -> bool:
        return self.finish is not None

    def open_choices(self) -> list[int]:
        return [] if self.can_end() else [0]


class FakeAttempt:
    """An attempt that yields *batches*, and then raises *error*, if any."""

    def __init__(
        self,
        account: Account | None = None,
        batches: tuple[list[Event] | None, ...] = (),
        error: Exception | None = None,
        *,
        context: RequestContext | None = None,
        reader: FakeReader | None = None,
    ) -> None:
        self.account = account or Account("a", "a", "openai", "http://127.0.0.1:1/v1")
        self.context = context or make_request()
        unused: Any = SimpleNamespace()
        self.inputs = AttemptInputs(self.context, self.account, unused, unused)
        self.request = UpstreamRequest("chat", {}, [])
        self.response = ResponseHead()
        self.raw_events: list[dict[str, Any]] = []
        self.reader = reader or FakeReader()
        self.committed = False
        self.was_cut = False
        self.stalled = False
        self.exceeds_at: int | None = None  # the response provably has more tokens than this
        self._batches = batches
        self._error = error

    def events(self) -> Iterator[Any]:
        for batch in self._batches:
            self.committed |= bool(batch)
            yield batch
        if self._error is not None:
            raise self._error

    def exceeds(self, tokens: int) -> bool:
        return self.exceeds_at is not None and tokens <= self.exceeds_at
