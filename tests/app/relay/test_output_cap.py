"""Where the gateway ends a response itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.accounts.account import Account
from app.limits.token_estimates import max_bytes_for
from app.relay.attempt import AttemptInputs
from app.relay.output_cap import MAX_TOKEN_BYTES, exceeds, output_cap_for
from app.streaming.events import Event
from tests.support.relay import FakeAttempt, FakeReader, make_request

CHATGPT = Account("a", "a", "chatgpt", "http://127.0.0.1:1", protocols=("responses",))
OPENAI = Account("a", "a", "openai", "http://127.0.0.1:1/v1")


def inputs(account: Account, max_output: int | None = None, **body: Any) -> AttemptInputs:
    attempt = FakeAttempt(account, context=make_request(body={"model": "m", **body}))
    return replace(attempt.inputs, max_output=max_output)


def chunk(text: str) -> Event:
    return Event({"id": "c", "choices": [{"index": 0, "delta": {"content": text}}]})


def test_none_where_the_upstream_applies_every_limit() -> None:
    assert output_cap_for(inputs(OPENAI, max_tokens=5, stop=["x"]), "chat") is None


def test_ends_after_as_many_bytes_as_the_tokens_usually_have() -> None:
    """The ChatGPT backend accepts no length."""
    cap = output_cap_for(inputs(CHATGPT, max_tokens=2), "responses")
    assert cap is not None
    below, above = (FakeReader(output_bytes=max_bytes_for(2) + more) for more in (0, 1))

    assert len(cap.feed([chunk("ab")], below)) == 1
    assert not cap.is_reached
    events = cap.feed([chunk("cd")], above)
    assert cap.is_reached
    assert events[-1].payload["choices"][0]["finish_reason"] == "length"


def test_applies_stop_sequences_that_the_upstream_does_not() -> None:
    assert output_cap_for(inputs(CHATGPT, stop="x"), "responses") is not None
    assert output_cap_for(inputs(CHATGPT, stop=[]), "responses") is None


def test_a_strict_limit_ends_only_what_provably_exceeds_it() -> None:
    cap = output_cap_for(inputs(OPENAI, max_output=3), "chat")
    assert cap is not None
    cap.feed([chunk("a")], FakeReader(output_bytes=3, deltas=3))
    assert not cap.is_reached
    cap.feed([chunk("a")], FakeReader(output_bytes=3 * MAX_TOKEN_BYTES + 1))
    assert cap.is_reached


def test_a_complete_response_is_never_cut() -> None:
    cap = output_cap_for(inputs(OPENAI, max_output=3), "chat")
    assert cap is not None
    cap.feed([chunk("a")], FakeReader(output_bytes=10**6, finish="stop"))

    assert not cap.is_reached


def test_proof() -> None:
    assert not exceeds(FakeReader(output_bytes=MAX_TOKEN_BYTES * 2, deltas=2), 2)
    assert not exceeds(FakeReader(output_bytes=5, deltas=5), 2)  # tokens may have been split on the way
    assert exceeds(FakeReader(output_bytes=MAX_TOKEN_BYTES * 2 + 1), 2)
