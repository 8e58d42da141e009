"""Where the gateway itself has to end an answer, because the upstream takes no such limit."""

from __future__ import annotations

from typing import Any

from app.pool.account import Account
from app.quotas.lengths import LENGTH_FIELDS
from app.quotas.tokens import bytes_for
from app.relay.call import Call
from app.translation.chat_request import MIN_OUTPUT_TOKENS
from app.translation.cut_chat import ChatCut
from app.translation.cut_responses import ResponsesCut
from app.translation.fields import Fate, asked, fate
from app.translation.output_gate import Gated

COUNTING = ("output_tokens", "total_tokens", "cost")  # the limits that an answer's length counts under


def cut_for(call: Call, account: Account, wire: str) -> Gated | None:
    """Return what ends *call*'s answer on *wire* of *account*; None where the upstream does."""

    def honoured(field: str) -> Any:
        value = call.body.get(field)
        if not asked(field, value):
            return None
        becomes = fate(call.surface, field, account.kind, {wire})
        raised = becomes is Fate.TRANSLATED and isinstance(value, int) and value < MIN_OUTPUT_TOKENS
        return value if becomes is Fate.HONOURED or (raised and wire == "responses") else None

    tokens = next((n for name in LENGTH_FIELDS[call.surface] if (n := honoured(name)) is not None), None)
    most = _most_bytes(call, max(tokens, 0)) if isinstance(tokens, int) else None
    if call.surface == "responses":
        return ResponsesCut(most) if most is not None else None
    stops = honoured("stop") or ()
    if most is None and not stops:
        return None
    return ChatCut(most, (stops,) if isinstance(stops, str) else tuple(stops))


def _most_bytes(call: Call, tokens: int) -> int:
    """
    Return after how many bytes an answer of *tokens* ends.

    A token has one byte at least. That bound holds where a strict limit rests on it; elsewhere
    an ordinary token is a better measure of what the caller meant.
    """
    rests_on_it = any(limit["mode"] == "strict" and limit["what"] in COUNTING for limit in call.key.limits)
    return tokens if rests_on_it else bytes_for(tokens)
