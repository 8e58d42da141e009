"""
Where the gateway itself ends an answer.

Two cases:

- The upstream takes no such limit (the ChatGPT backend; a length that its wire refuses as too short).
  The answer then ends after as many bytes as tokens of that number usually have. No strict limit rests
  on that: the reservation is the model's maximum there.
- The upstream was sent the length and a strict limit rests on it. An answer that keeps it must never
  be cut, and one of N tokens has more than N bytes, so it ends only where what was seen proves that it
  has more than N tokens: each delta that carries text has one token at least, unless somebody on the
  way cut tokens to pieces, so the average is looked at as well; and no token of any known vocabulary
  is longer than TOKEN_BYTES_MAX.

What is counted are the upstream's events, in whichever form the client is given them.
"""

from __future__ import annotations

from typing import Any, Protocol

from app.accounts.account import Account
from app.limits.output_lengths import LENGTH_FIELDS, MIN_RESPONSES_LENGTH
from app.limits.token_estimates import MAX_BYTES_PER_DELTA, bytes_for
from app.relay.context import RequestContext
from app.streaming.events import Event
from app.translation.output_cap.chat import ChatOutputCap
from app.translation.output_cap.limiter import OutputCap
from app.translation.output_cap.responses import ResponsesOutputCap
from app.translation.requests.field_support import Support, has_effect, support_for

TOKEN_BYTES_MAX = 256  # vocabularies have runs of up to 128 blanks as one token


class Reader(Protocol):
    """What has seen the upstream's events."""

    deltas: int

    @property
    def output_bytes(self) -> int: ...

    def can_end(self) -> bool: ...


class Cut:
    """*gate* passes the client's events; *most_bytes* and *most_tokens* are of the upstream's output."""

    def __init__(self, gate: OutputCap, max_bytes: int | None, max_tokens: int | None) -> None:
        self._gate = gate
        self._max_bytes = max_bytes
        self._max_tokens = max_tokens

    @property
    def was_made(self) -> bool:
        return self._gate.cut is not None

    def shown(self, events: list[Event], reader: Reader) -> list[Event]:
        """Return *events* up to where the answer has to end, with its end where that is here."""
        shown = self._gate.limit_events(events)
        if self._gate.cut is None and self._is_over(reader):
            shown += self._gate.cut_off()
        return shown

    def _is_over(self, reader: Reader) -> bool:
        if reader.can_end():
            return False
        if self._max_bytes is not None and reader.output_bytes > self._max_bytes:
            return True
        return self._max_tokens is not None and has_more_than(reader, self._max_tokens)


def has_more_than(reader: Any, tokens: int) -> bool:
    """Whether what *reader* has seen proves that an answer has more than *tokens*."""
    if reader.deltas <= tokens and reader.output_bytes <= TOKEN_BYTES_MAX * tokens:
        return False
    return bool(reader.output_bytes > MAX_BYTES_PER_DELTA * tokens)


def cut_for(context: RequestContext, account: Account, wire: str) -> Cut | None:
    """Return what ends *call*'s answer on *wire* of *account*; None where only the upstream does."""

    def honoured(field: str) -> Any:
        value = context.body.get(field)
        if not has_effect(field, value):
            return None
        becomes = support_for(context.surface, field, account.kind, {wire})
        raised = becomes is Support.TRANSLATED and isinstance(value, int) and value < MIN_RESPONSES_LENGTH
        return value if becomes is Support.HONOURED or (raised and wire == "responses") else None

    tokens = next((n for name in LENGTH_FIELDS[context.surface] if (n := honoured(name)) is not None), None)
    most = bytes_for(max(tokens, 0)) if isinstance(tokens, int) else None
    if context.surface == "responses":
        gate: OutputCap = ResponsesOutputCap(most)
        stops: Any = ()
    else:
        stops = honoured("stop") or ()
        gate = ChatOutputCap(most, (stops,) if isinstance(stops, str) else tuple(stops))
    if most is None and context.max_output is None and not stops:
        return None
    return Cut(gate, most, context.max_output)
