"""Send one short real request to an account to check whether it answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypedDict

import orjson

from app.accounts.account import Account
from app.accounts.kinds import kind_of
from app.accounts.request_settings import NO_SETTINGS
from app.accounts.token_refresh import TokenRefresher
from app.accounts.verdicts import judge
from app.errors import (
    GatewayError,
    InvalidRequest,
    StreamIdleTimeout,
    StreamIncomplete,
    UpstreamError,
    UpstreamRejected,
)
from app.records import public_fields
from app.stores.records.accounts import AccountState
from app.streaming.body_decoder import ObjectDecoder, decoder_for, not_a_stream
from app.streaming.chat_protocol import ChatReader
from app.streaming.malformed_events import MALFORMED_EVENT_ERRORS, to_protocol_error
from app.streaming.progress import Stage
from app.streaming.responses_protocol import ResponsesReader
from app.streaming.sse import EventDecoder
from app.translation.requests.upstream_request import UpstreamRequest, upstream_body
from app.upstream.cancellation import Cancellation
from app.upstream.client import RequestContent, UpstreamClient
from app.upstream.echoed_secrets import hide_secrets, secrets_of
from app.upstream.responses import UpstreamResponse, content_type_of

SECONDS = 30.0  # until the response is complete, unless the operator waits longer
QUESTION = "Answer with the one word: ok"
CHEAP = ("nano", "mini", "small", "flash")  # words in the names of models that are preferred
NOT_FOR_TEXT = (
    *("embedding", "tts", "whisper", "transcribe", "image", "dall-e", "moderation", "audio", "realtime"),
    *("sora", "search", "davinci", "babbage"),
)


class ErrorJson(TypedDict):
    message: str
    type: str
    code: str | None


class AccountCheckJson(TypedDict):
    """An AccountCheck, by its public names."""

    ok: bool
    model: str
    status: int | None
    first_ms: int | None
    total_ms: int
    error: ErrorJson | None
    failure: str | None
    scope: str | None


@dataclass(frozen=True, slots=True)
class AccountCheck:
    """
    The result of one request to an account.

    `status` is the upstream's HTTP status, None if there was none; `error` is {message, type, code} or None.
    `failure` and `scope` classify the error as for any request, see `app.accounts.verdicts`.
    """

    ok: bool
    model: str
    status: int | None
    first_ms: int | None  # until the head of the response
    total_ms: int
    error: ErrorJson | None = None
    failure: str | None = None
    scope: str | None = None

    def public(self) -> AccountCheckJson:
        return public_fields(self, AccountCheckJson)


class AccountChecker:
    def __init__(self, upstream: UpstreamClient, refresher: TokenRefresher) -> None:
        self._upstream = upstream
        self._refresher = refresher

    def check(self, pool: str, account: Account, model: str, seconds: float = SECONDS) -> AccountCheck:
        """
        Send a request for *model* to *account* and return the result, after at most *seconds*.

        Without a *model*, the one of its known models that is probably the cheapest is used. Raises
        InvalidRequest if none is known.
        """
        model = model or model_for(account)
        body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "stream": True}
        prepared = upstream_body("chat", body, kind_of(account).dialect, account.protocols)
        if account.settings is not NO_SETTINGS:
            prepared = prepared._replace(body=account.settings.apply_to_body(prepared.body, model))
        started_at = time.monotonic()
        head_ms: int | None = None

        def elapsed_ms() -> int:
            return int(1000 * (time.monotonic() - started_at))

        try:
            response = self._send_renewing(pool, account, prepared, seconds)
            head_ms = elapsed_ms()
            try:
                _read(response, prepared, started_at, seconds)
            finally:
                response.body.close()
        except GatewayError as error:
            if isinstance(error, UpstreamRejected):  # possibly an error inside a stream
                hide_secrets(error, secrets_of(account))
            return _failed_check(error, account, model, head_ms, elapsed_ms())
        return AccountCheck(True, model, response.status, head_ms, elapsed_ms())

    def _send_renewing(
        self, pool: str, account: Account, prepared: UpstreamRequest, seconds: float
    ) -> UpstreamResponse:
        """Send the request; refresh the sign-in once if the upstream refuses its token."""
        try:
            return self._send(account, prepared, seconds)
        except UpstreamRejected as error:
            if error.upstream_status != 401 or not account.signed_in:
                raise
            renewed = self._refresher.refresh_after_401(pool, account)
            if renewed is None:
                raise
            return self._send(renewed, prepared, seconds)

    def _send(self, account: Account, prepared: UpstreamRequest, seconds: float) -> UpstreamResponse:
        sending = self._upstream.post(
            account,
            prepared.protocol,
            RequestContent([orjson.dumps(prepared.body)]),
            headers_timeout_seconds=seconds,
            cancellation=Cancellation(),
        )
        response = sending.wait(seconds)
        if response is None:
            sending.abandon()
            raise StreamIdleTimeout(f"The upstream did not answer within {seconds:g} s")
        return response


def _failed_check(
    error: GatewayError, account: Account, model: str, head_ms: int | None, total_ms: int
) -> AccountCheck:
    verdict = judge(error, account.kind, model) if isinstance(error, UpstreamError) else None
    return AccountCheck(
        ok=False,
        model=model,
        status=error.upstream_status if isinstance(error, UpstreamRejected) else None,
        first_ms=head_ms,
        total_ms=total_ms,
        error={"message": error.message, "type": error.type, "code": error.code},
        failure=verdict.failure.value if verdict else None,
        scope=verdict.consequence.scope.value if verdict else None,
    )


def knows_model(account: Account) -> bool:
    """Return whether any model is known with which *account* can be tested."""
    return bool(_known_models(account))


def _known_models(account: Account) -> list[str]:
    return [name for name in account.offered_models if "*" not in name] or list(account.listed)


def model_for(account: Account) -> str:
    """Return a model with which *account* can be tested. Raises InvalidRequest if none is known."""
    known = _known_models(account)
    if not known:
        raise InvalidRequest("Name a model to test with: this account has listed none yet", param="model")
    return _cheapest(known)


def _cheapest(names: list[str]) -> str:
    """Return the one of *names* (at least one) that is probably the cheapest for text."""
    texts = [name for name in names if not any(part in name for part in NOT_FOR_TEXT)] or names
    cheap = [name for name in texts if any(part in name for part in CHEAP)]
    return min(cheap or texts, key=lambda name: (len(name), name))


def example_model(accounts: Iterable[Account], may_use: Callable[[str], bool] = lambda _: True) -> str | None:
    """
    Return a model for an example that *may_use* allows and one of *accounts* has; None if there is none.

    Active accounts whose test did not fail, and those of real upstreams, come first.
    """

    def rank(account: Account) -> tuple[bool, bool]:
        is_doubtful = account.state != AccountState.ACTIVE or bool(account.unproven)
        return is_doubtful, kind_of(account).is_simulated

    for account in sorted(accounts, key=rank):
        allowed = [name for name in _known_models(account) if may_use(name)]
        if allowed:
            return _cheapest(allowed)
    return None


def _read(response: UpstreamResponse, prepared: UpstreamRequest, started_at: float, seconds: float) -> None:
    """Read the response to its end. Raises GatewayError when it ends early."""
    content_type = content_type_of(response)
    reader: Any = ChatReader() if prepared.protocol == "chat" else ResponsesReader()
    decoder: EventDecoder | ObjectDecoder | None = None
    deadline = started_at + seconds
    while True:
        data = response.body.read(deadline - time.monotonic())
        if data is None or time.monotonic() > deadline:
            raise StreamIdleTimeout(f"The upstream did not end its response within {seconds:g} s")
        decoder = decoder or decoder_for(prepared.protocol, content_type, data)
        if decoder is None:
            if not data:
                raise not_a_stream(content_type)
            continue
        try:
            stages = [
                reader.observe(event) for event in (decoder.decode_events(data) if data else decoder.flush())
            ]
        except MALFORMED_EVENT_ERRORS as error:
            raise to_protocol_error(error) from error
        if reader.error is not None:
            raise reader.error
        if Stage.TERMINAL in stages:
            return
        if decoder.error is not None:
            raise decoder.error
        if not data:
            if reader.can_end():
                return
            raise StreamIncomplete("The upstream's stream ended before its response was complete")
