"""
Output caps: where the gateway itself ends a response.

Two cases:

- The upstream does not accept the client's limit (the ChatGPT backend; a length that its protocol refuses as
  too short). The response then ends after as many bytes as that number of tokens usually has. No strict limit
  relies on it: the reservation is the model's maximum there.
- The upstream was sent the length and a strict limit relies on it. A response of up to N tokens must never be
  cut, so it is ended only if the deltas or the bytes prove more than N tokens. Each delta with text has at
  least one token, unless an intermediary splits tokens, so the average size of deltas is checked as well. No
  token of any known vocabulary is longer than MAX_TOKEN_BYTES.

The upstream's events are counted, whichever protocol the client uses.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

from app.accounts.kinds import kind_of
from app.limits.output_lengths import LENGTH_FIELDS, MIN_RESPONSES_LENGTH
from app.limits.token_estimates import MAX_BYTES_PER_DELTA, max_bytes_for
from app.relay.attempt import AttemptInputs
from app.streaming.events import Event
from app.translation.output_cap.chat import ChatOutputCap
from app.translation.output_cap.limiter import OutputCap
from app.translation.output_cap.responses import ResponsesOutputCap
from app.translation.requests.field_support import Support, has_effect, support_for

MAX_TOKEN_BYTES = 256  # known vocabularies have tokens of up to 128 blanks


class OutputCounts(Protocol):
    """The counts of a reader that observed the upstream's events."""

    deltas: int

    @property
    def output_bytes(self) -> int: ...

    def can_end(self) -> bool: ...

    def open_choices(self) -> list[int]: ...


class AttemptOutputCap:
    """Ends a response: *limiter* edits the client's events, the maxima bound the upstream's."""

    def __init__(self, limiter: OutputCap, max_bytes: int | None, max_tokens: int | None) -> None:
        self._limiter = limiter
        self._max_bytes = max_bytes
        self._max_tokens = max_tokens
        maxima = (max_bytes, None if max_tokens is None else MAX_BYTES_PER_DELTA * max_tokens)
        # No shorter response is too long: the one comparison of most reads.
        self._unlimited_bytes = min((count for count in maxima if count is not None), default=math.inf)

    @property
    def is_reached(self) -> bool:
        """Whether the response has been ended."""
        return self._limiter.cut is not None

    def feed(self, events: list[Event], reader: OutputCounts) -> list[Event]:
        """Return *events* up to where the response has to end, then the events that end it."""
        passed = self._limiter.limit_events(events)
        if reader.output_bytes > self._unlimited_bytes and not self.is_reached and self._is_exceeded(reader):
            passed += self._limiter.cut_off(reader.open_choices())
        return passed

    @property
    def passes_text(self) -> bool:
        """Whether all text of a response is passed on until the upstream's maxima end it."""
        return self._limiter.passes_all

    def feed_texts(self, events: list[Event], reader: OutputCounts) -> list[Event]:
        """Return what `feed` does for chunks that have only text, where `passes_text` is true."""
        return self.feed(events, reader) if reader.output_bytes > self._unlimited_bytes else events

    def _is_exceeded(self, reader: OutputCounts) -> bool:
        is_too_long = (self._max_bytes is not None and reader.output_bytes > self._max_bytes) or (
            self._max_tokens is not None and exceeds(reader, self._max_tokens)
        )
        return is_too_long and not reader.can_end()


def exceeds(reader: OutputCounts, tokens: int) -> bool:
    """Return whether what *reader* observed proves that a response has more than *tokens*."""
    if reader.deltas <= tokens and reader.output_bytes <= MAX_TOKEN_BYTES * tokens:
        return False
    return reader.output_bytes > MAX_BYTES_PER_DELTA * tokens


def may_be_cut(inputs: AttemptInputs, protocol: str) -> bool:
    """Return whether the gateway may have to end the response that the account sends in *protocol*."""
    if inputs.max_output is not None and not kind_of(inputs.account).enforces_length:
        return True
    client_protocol = inputs.context.request.client_protocol
    names = LENGTH_FIELDS[client_protocol] + (("stop",) if client_protocol == "chat" else ())
    return any(_capped_value(inputs, protocol, name) is not None for name in names)


def output_cap_for(inputs: AttemptInputs, protocol: str) -> AttemptOutputCap | None:
    """Return the cap for the account's response in *protocol*; None if only the upstream ends it."""
    context = inputs.context
    client_protocol = context.request.client_protocol
    tokens = next(
        (
            value
            for name in LENGTH_FIELDS[client_protocol]
            if (value := _capped_value(inputs, protocol, name)) is not None
        ),
        None,
    )
    max_bytes = max_bytes_for(max(tokens, 0)) if isinstance(tokens, int) else None
    if client_protocol == "responses":
        limiter: OutputCap = ResponsesOutputCap(max_bytes)
        stops: Any = ()
    else:
        stops = _capped_value(inputs, protocol, "stop") or ()
        limiter = ChatOutputCap(max_bytes, (stops,) if isinstance(stops, str) else tuple(stops))
    if max_bytes is None and inputs.max_output is None and not stops:
        return None
    return AttemptOutputCap(limiter, max_bytes, inputs.max_output)


def _capped_value(inputs: AttemptInputs, protocol: str, name: str) -> Any:
    """Return the field *name* of the request if the gateway has to apply it, None if the upstream does."""
    context = inputs.context
    value = context.request.body.get(name)
    if not has_effect(name, value):
        return None
    applied = support_for(context.request.client_protocol, name, kind_of(inputs.account).dialect, (protocol,))
    raised = applied is Support.TRANSLATED and isinstance(value, int) and value < MIN_RESPONSES_LENGTH
    return value if applied is Support.HONOURED or (raised and protocol == "responses") else None
