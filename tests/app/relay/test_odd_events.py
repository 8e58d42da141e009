"""
However odd an upstream's events are, the only failure is an UpstreamError.

Valid streams are changed at random places (seeded): a value is replaced, removed or repeated, an
event is left out, doubled or moved. Each takes every path: both client protocols, streamed and as one
object, capped and uncapped, continued after a break, and every endpoint's transform.
"""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from app.accounts.account import Account
from app.api.bifrost_chat import ExtraFields
from app.api.compact import CompactionTransform
from app.api.framing import CodexFraming, ResponsesFraming, framing_for
from app.config import TimeLimits
from app.errors import GatewayError, StreamIncomplete, UpstreamError, UpstreamProtocolError
from app.relay.attempt import AttemptInputs
from app.relay.context import RequestContext
from app.relay.fallbacks import FallbackChain
from app.relay.model_attempt import ModelAttempt
from app.relay.passthrough import PassthroughAttempt
from app.relay.progress import RequestProgress
from app.relay.request_record import RequestRecord
from app.relay.timeouts import AttemptDeadlines
from app.stores.records.admission import Selection
from app.stores.records.api_keys import ApiKey
from app.streaming import frames
from app.streaming.events import Event
from app.streaming.fold_chat import ChatFold
from app.streaming.fold_responses import ResponsesFold
from app.translation.requests.upstream_request import UpstreamRequest
from app.translation.resume.delivered import ResumedStream, delivered_for
from tests.support.relay import make_request

Json = dict[str, Any]

FIXTURES = Path(__file__).parents[1] / "translation" / "fixtures"
MUTATIONS = int(os.environ.get("MUTATIONS", "12"))  # of each of some eighty fixtures, on eight paths each
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 7, 2**63, 1e308, 0.5),
    *("", "x", "response.completed", "\ud83d", "\udc00", "é", "[DONE]"),
    *([], [None], ["x"], [[]], [{}], [1, {"a": None}], {}, {"a": 1}, {"index": "x"}, {"type": []}),
    *([{"type": "message", "content": "x"}], {"content": {"a": 1}}, {"tool_calls": {}}),
)


class Arriving:
    """The body of a response, in pieces."""

    def __init__(self, data: bytes, chance: random.Random) -> None:
        self._pieces = []
        while data:
            size = chance.randrange(1, 2000)
            self._pieces.append(data[:size])
            data = data[size:]

    def read(self, seconds: float) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def interrupt(self) -> None: ...

    def finish(self, seconds: float) -> None: ...

    def close(self) -> None: ...


class Upstream:
    """Answers every request with the same bytes."""

    def __init__(self, data: bytes, chance: random.Random, content_type: str = "text/event-stream") -> None:
        self._response = SimpleNamespace(
            status=200, headers={"Content-Type": content_type}, body=Arriving(data, chance)
        )

    def post(self, *args: Any, **options: Any) -> Any:
        return SimpleNamespace(wait=lambda seconds: self._response, abandon=lambda: None)


def the_call(client_protocol: str, *, stream: bool, **more: Any) -> RequestContext:
    body: Json = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **more}
    if client_protocol == "responses":
        body = {"model": "m", "input": [{"role": "user", "content": "hi"}], **more}
    key = ApiKey(id="key_1", pool="p", name="k", settings="{}")
    return make_request(
        client_protocol=client_protocol,
        body=body,
        key=key,
        stream=stream,
        include_usage=not stream,
        include_reasoning=stream,
    )


def account(kind: str) -> Account:
    return Account("acct_1", "a", kind, "http://x/v1", credential="sk", version=1)


def deadlines() -> AttemptDeadlines:
    return AttemptDeadlines(
        TimeLimits(), reasons=False, progress=RequestProgress(0.0, 1e9, 0.0), clock=lambda: 0.0
    )


def inputs_of(
    context: RequestContext, kind: str, upstream: Any, resumed: ResumedStream | None = None
) -> AttemptInputs:
    return AttemptInputs(context, account(kind), deadlines(), upstream, resumed=resumed)


def attempts(wire: str, data: bytes, chance: random.Random) -> Iterator[ModelAttempt]:
    """Yield an attempt for each path that a response on *wire* can take."""
    kind = "chatgpt" if wire == "responses" else "openai"
    for client_protocol in ("chat", "responses"):
        limits = (
            {"max_output_tokens": 2} if client_protocol == "responses" else {"max_tokens": 2, "stop": ["o"]}
        )
        for stream, more in ((True, {}), (False, {}), (True, limits)):
            context = the_call(client_protocol, stream=stream, **more)
            prepared = UpstreamRequest(wire, {"model": "m"}, [])
            yield ModelAttempt(inputs_of(context, kind, Upstream(data, chance)), prepared)
        resumed = ResumedStream(delivered_for(client_protocol))
        context = the_call(client_protocol, stream=True)
        yield ModelAttempt(inputs_of(context, kind, Upstream(data, chance), resumed), prepared)


def deliver(attempt: ModelAttempt) -> None:
    """Process an attempt's events as the API does. Any exception other than UpstreamError fails the test."""
    context = attempt.context

    def stream(context: RequestContext, record: RequestRecord, progress: RequestProgress) -> Any:
        record.start_attempt(attempt, Selection("acct_1"))
        return attempt.events()

    chain = FallbackChain(context, stream, RequestProgress(0.0, 1e9, 0.0))
    framing, delivered = framing_for(context), delivered_for(context.request.client_protocol)
    codex, extended = CodexFraming(), ExtraFields(())
    gathered = []
    try:
        for events in chain.events():
            if events:
                delivered.record(events)
                gathered += events
                framing.frames(events)
                if context.request.client_protocol == "chat":
                    frames.chat_frames(extended.events(events, chain))
                else:
                    codex.frames(events)
    except UpstreamError as error:
        framing.error(error, context)
        return
    fold: ChatFold | ResponsesFold = framing.fold()
    for event in gathered:
        fold.add_event(event.payload)
    try:
        body = fold.result()
    except StreamIncomplete:
        return
    orjson.dumps(body)
    if context.request.client_protocol == "chat":
        orjson.dumps(extended.body(body, chain))
    else:
        try:
            CompactionTransform().body(body, chain)
        except UpstreamError:
            return


def payloads_of(path: Path) -> list[Json]:
    lines = path.read_bytes().split(b"\n")
    data = [line[6:] for line in lines if line.startswith(b"data: ")]
    return [orjson.loads(each) for each in data if each != b"[DONE]"]


def mutated(payloads: list[Json], chance: random.Random) -> list[Any]:
    """Return a changed copy: one to three places, or the order of events."""
    out: list[Any] = copy.deepcopy(payloads)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(out))
        match chance.randrange(8):
            case 0:
                out.insert(at, copy.deepcopy(chance.choice(out)))
            case 1 if len(out) > 1:
                del out[at]
            case 2:
                chance.shuffle(out)
            case _:
                change(out, at, chance)
    return out


def change(holder: Any, at: Any, chance: random.Random) -> None:
    """Change something in ``holder[at]``, or itself."""
    inner = holder[at]
    if isinstance(inner, dict | list) and inner and chance.random() < 0.8:
        change(
            inner,
            chance.choice(list(inner)) if isinstance(inner, dict) else chance.randrange(len(inner)),
            chance,
        )
    elif isinstance(holder, dict) and chance.random() < 0.2:
        del holder[at]
    else:
        holder[at] = copy.deepcopy(chance.choice(ODD))


def encoded(payloads: list[Any]) -> bytes:
    """Return a stream; as Python writes JSON, so that lone surrogates and huge numbers get through."""
    return b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in payloads) + b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    "path", sorted(FIXTURES.rglob("*.sse")), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_only_the_upstream_is_to_blame(path: Path) -> None:
    chance = random.Random(path.name)
    payloads = payloads_of(path)
    wire = "chat" if path.name.endswith(".chat.sse") else "responses"
    for _ in range(MUTATIONS if payloads else 0):
        data = encoded(mutated(payloads, chance))
        for attempt in attempts(wire, data, chance):
            deliver(attempt)


@pytest.mark.parametrize("path", sorted(FIXTURES.rglob("*.sse"))[::4], ids=lambda path: path.name)
def test_responses_that_pass_through(path: Path) -> None:
    chance = random.Random(path.name)
    payloads = payloads_of(path)
    for _ in range(MUTATIONS if payloads else 0):
        changed = mutated(payloads, chance)
        for content_type, data in (
            ("text/event-stream", encoded(changed)),
            ("application/json", encoded(changed[:1])[6:-16]),
        ):
            context = the_call("embeddings", stream=False)
            attempt = PassthroughAttempt(inputs_of(context, "openai", Upstream(data, chance, content_type)))
            try:
                for pieces in attempt.events():
                    b"".join(pieces or ())
            except UpstreamError:
                continue


@pytest.mark.parametrize(
    "chunk",
    [
        {"choices": [{"index": 0, "delta": {"content": "x"}, "logprobs": 7}]},
        {"choices": [{"index": 0, "delta": {"content": "x"}, "logprobs": "x"}]},
    ],
)
def test_invalid_chunk_before_any_delivery_is_an_upstream_failure(chunk: Json) -> None:
    """So another account may answer."""
    data = encoded([chunk, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}])
    context = the_call("responses", stream=True)
    prepared = UpstreamRequest("chat", {"model": "m"}, [])
    attempt = ModelAttempt(inputs_of(context, "openai", Upstream(data, random.Random(1))), prepared)

    with pytest.raises(UpstreamProtocolError):
        list(attempt.events())
    assert not attempt.committed


def test_an_invalid_sequence_number_does_not_break_the_error_event() -> None:
    framing = ResponsesFraming()
    framing.frames([Event({"type": "response.created", "response": "x", "sequence_number": "y"})])

    assert b"response.failed" in framing.error(GatewayError("broken"), the_call("responses", stream=True))
