"""One tiny real request to one account, to see whether it answers."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from app.accounts.account import Account
from app.accounts.verdicts import judge
from app.errors import (
    GatewayError,
    InvalidRequest,
    StreamIdleTimeout,
    StreamIncomplete,
    UpstreamError,
    UpstreamRejected,
)
from app.operations.dependencies import Dependencies
from app.streaming.chat_protocol import ChatReader
from app.streaming.malformed_events import CONFUSED, not_understood
from app.streaming.progress import Stage
from app.streaming.responses_protocol import ResponsesReader
from app.streaming.sse import EventDecoder
from app.translation.requests.upstream_request import UpstreamRequest, upstream_body
from app.upstream.cancellation import Cancellation
from app.upstream.client import UpstreamResponse, require_event_stream

SECONDS = 60.0
QUESTION = "Answer with the one word: ok"
CHEAP = ("nano", "mini", "small", "flash")  # where the account may serve many models, one of these
NOT_FOR_TEXT = (
    *("embedding", "tts", "whisper", "transcribe", "image", "dall-e", "moderation", "audio", "realtime"),
    *("sora", "search", "davinci", "babbage"),
)


@dataclass(frozen=True, slots=True)
class AccountCheck:
    """
    `status` is the upstream's, None where it gave none; `error` is {message, type, code} or None.

    `failure` and `scope` are what the verdict table says about the error, as for any request; None
    where there is none.
    """

    ok: bool
    model: str
    status: int | None
    first_ms: int | None  # until the answer's head
    total_ms: int
    error: dict[str, Any] | None = None
    failure: str | None = None
    scope: str | None = None

    def public(self) -> dict[str, Any]:
        return asdict(self)


def trial(dependencies: Dependencies, pool: str, account: Account, model: str) -> AccountCheck:
    """Return how *account* answered for *model*, or for the likely cheapest that it is known to serve."""
    model = model or model_for(account)
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "stream": True}
    prepared = upstream_body("chat", body, account.kind, account.wires)
    began = time.monotonic()
    heads: list[int] = []

    def since() -> int:
        return int(1000 * (time.monotonic() - began))

    try:
        answer = _asked(dependencies, pool, account, prepared)
        heads.append(since())
        try:
            _read(answer, prepared, began + SECONDS)
        finally:
            answer.body.close()
    except GatewayError as error:
        status = error.upstream_status if isinstance(error, UpstreamRejected) else None
        told = {"message": error.message, "type": error.type, "code": error.code}
        verdict = judge(error, account.kind, model) if isinstance(error, UpstreamError) else None
        named = (verdict.failure.value, verdict.consequence.scope.value) if verdict else (None, None)
        return AccountCheck(False, model, status, heads[0] if heads else None, since(), told, *named)
    return AccountCheck(True, model, answer.status, heads[0], since())


def knows_model(account: Account) -> bool:
    """Return whether any model is known that *account* can be tested with."""
    return bool(_known_models(account))


def _known_models(account: Account) -> list[str]:
    return [name for name in account.models if "*" not in name] or list(account.listed)


def model_for(account: Account) -> str:
    """Return a model to try *account* with. Raises InvalidRequest when none is known."""
    known = _known_models(account)
    texts = [name for name in known if not any(word in name for word in NOT_FOR_TEXT)] or known
    if not texts:
        raise InvalidRequest("Name a model to test with: this account has listed none yet", param="model")
    cheap = [name for name in texts if any(word in name for word in CHEAP)]
    return min(cheap or texts, key=lambda name: (len(name), name))


def _asked(
    dependencies: Dependencies, pool: str, account: Account, prepared: UpstreamRequest
) -> UpstreamResponse:
    try:
        return _ask(dependencies, account, prepared)
    except UpstreamRejected as error:
        if error.upstream_status != 401 or not account.signed_in:
            raise
        renewed = dependencies.refresher.refresh_after_401(pool, account)
        if renewed is None:
            raise
        return _ask(dependencies, renewed, prepared)


def _ask(dependencies: Dependencies, account: Account, prepared: UpstreamRequest) -> UpstreamResponse:
    sending = dependencies.upstream.post(
        account,
        prepared.wire,
        [orjson.dumps(prepared.body)],
        headers={},
        headers_timeout_seconds=SECONDS,
        cancellation=Cancellation(),
    )
    answer = sending.wait(SECONDS)
    if answer is None:
        sending.abandon()
        raise StreamIdleTimeout(f"The upstream did not answer within {SECONDS:g} s")
    return answer


def _read(answer: UpstreamResponse, prepared: UpstreamRequest, deadline: float) -> None:
    """Read to the end of the answer. Raises what made it end otherwise."""
    require_event_stream(answer)
    reader: Any = ChatReader() if prepared.wire == "chat" else ResponsesReader()
    decoder = EventDecoder()
    while True:
        data = answer.body.read(deadline - time.monotonic())
        if data is None or time.monotonic() > deadline:
            raise StreamIdleTimeout(f"The upstream did not end its answer within {SECONDS:g} s")
        try:
            stages = [reader.observe(event) for event in (decoder.feed(data) if data else decoder.flush())]
        except CONFUSED as error:
            raise not_understood(error) from error
        if reader.error is not None:
            raise reader.error
        if Stage.TERMINAL in stages:
            return
        if decoder.fault is not None:
            raise decoder.fault
        if not data:
            if reader.can_end():
                return
            raise StreamIncomplete("The upstream's stream ended before its answer was complete")
