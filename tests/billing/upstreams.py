"""
Upstreams of every kind, and what they bill: honestly, unseen, without a report, and for nothing.

Each account has plays of its own. A response bills what `tests.support.upstream_log` adds up, step by
step, so that a stream which is cut has billed what had been produced by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.faults.responses import rejected
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

Json = dict[str, Any]

LENGTH = 64  # tokens; what every request names
CONTEXT, MAX_OUTPUT = 4000, 600  # tokens; of every model here
RATES = {"input": 3_000_000, "output": 17_000_000}  # micro-dollars for a million tokens
REASONING, NOT_REASONING = "exact", "gpt-4.1"  # families: what follows is a date, see `clients.model_of`
TEXT = "Grüße von hier: eins, zwei, drei, vier."
LONG = "word " * 90  # more than the gateway lets through for LENGTH where it has to count
DELTAS = 6  # of every response; where no usage is given each bills one token
PACES: Json = {str(place): [{"sleep": 0.03}] for place in range(DELTAS)}


def bill(**tokens: int) -> Json:
    """A step that bills *tokens* and sends nothing."""
    return {"sleep": 0, "bill": tokens}


def text(usage: Json | None, *, sent_text: str = TEXT, at: Json | None = None) -> Json:
    return {
        "play": "text",
        "text": sent_text,
        "deltas": DELTAS,
        "usage": usage,
        "at": {**PACES, **(at or {})},
    }


def reported(input_tokens: int, output_tokens: int, **more: Any) -> Json:
    usage = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    return text({**usage, "reasoning_tokens": max(0, output_tokens - 10)}, **more)


def unseen(output_tokens: int, *, at: Json | None = None) -> Json:
    """Hidden reasoning that is never reported."""
    return text(None, at={"start": [bill(output_tokens=output_tokens)], **(at or {})})


RESET: Json = {"reset": True}
BILLED_FOR_NOTHING: Json = {"before": [bill(input_tokens=90, output_tokens=LENGTH), RESET]}
BROKEN = (
    reported(100, LENGTH, at={"3": [RESET]}),
    unseen(LENGTH - DELTAS, at={"4": [{"close": True}]}),
    BILLED_FOR_NOTHING,
)
REFUSED = (rejected(503), rejected(429, "rate_limit_exceeded", headers={"retry-after": "1"}))
LATE = reported(80, 50, at={"usage": [{"sleep": 0.4}]})

PLAYS: dict[str, tuple[Json, ...]] = {
    # keep the length that they are sent, with their reasoning
    "first": (
        *(reported(120, LENGTH), reported(17, 3), LATE, unseen(LENGTH - DELTAS), reported(120, 40)),
        *(*BROKEN, REFUSED[0]),
    ),
    "second": (reported(150, LENGTH), text(None), LATE, reported(1, 1), REFUSED[1], BROKEN[0]),
    # takes no length, and reasons unseen
    "codex": (
        *(reported(120, MAX_OUTPUT - 5), unseen(500), reported(90, 200), reported(60, 300, sent_text=LONG)),
        *(BROKEN[0], reported(120, MAX_OUTPUT, at={"4": [RESET]})),
    ),
    # ignores it, and counts nothing
    "local": (text(None), text(None), unseen(LENGTH - DELTAS), BROKEN[1]),
    # ignores it
    "ignores": (
        reported(100, 400),
        unseen(400),
        reported(100, MAX_OUTPUT),
        reported(90, 500, at={"5": [RESET]}),
    ),
}
WITHOUT_REASONING = (reported(120, 40), text(None), text(None, at={"5": [RESET]}), BILLED_FOR_NOTHING)


@dataclass(frozen=True, slots=True)
class Place:
    kind: str
    protocols: tuple[str, ...]


PLACES = {
    "first": Place("openai", ("chat", "responses")),
    "second": Place("openai", ("responses",)),
    "codex": Place("chatgpt", ("responses",)),
    "local": Place("compatible", ("chat",)),
    "ignores": Place("compatible", ("chat",)),
}


def prepare(pool: PoolOfTest, upstream: ScriptedUpstream, cap: int) -> None:
    """Make the accounts, their plays and the prices of their models."""
    row = {"standard": RATES, "context": CONTEXT, "max_output": MAX_OUTPUT}
    for model in (REASONING, NOT_REASONING):
        pool.gateway.services.prices.put(pool.name, model, row)
    for name, place in PLACES.items():
        chatgpt = place.kind == "chatgpt"
        url = upstream.root_url(name) + "/backend-api" if chatgpt else upstream.base_url(name)
        more = {"chatgpt_account_id": "u"} if chatgpt else {}
        pool.account(name, url, kind=place.kind, protocols=place.protocols, cap=cap, **more)
        upstream.script(*PLAYS[name], account=name, repeat="cycle")
    for name in ("first", "second"):
        upstream.script(*WITHOUT_REASONING, account=name, model=f"{NOT_REASONING}*", repeat="cycle")
