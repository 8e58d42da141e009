"""
Limits in words: `10 requests/minute`, `5.50 usd/month for gpt-5* balanced`.

A stored limit is {id, what, per, max, mode, scope, model?}; cost is in micro-dollars. Its
counters are kept apart from it (app/stores/lua/windows.lua), under its id.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from app.errors import InvalidRequest
from app.formatting import MICRO_DOLLARS, count, exact_dollars
from app.patterns import pattern_fault

WHATS = {
    "requests": "requests",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "total_tokens": "total_tokens",
    "tokens": "total_tokens",
    "cost": "cost",
    "usd": "cost",
    "parallel_requests": "parallel_requests",
}
PERS = ("second", "minute", "hour", "day", "week", "month", "ever")
MODES = ("strict", "balanced")
COUNTING = ("output_tokens", "total_tokens", "cost")  # the limits that an answer's length counts under

MOST = 10**13  # the scripts write 14 digits of a number, and what is held comes on top
MAX_SHORT = 10**11  # per second and minute a unit is counted in thousandths and sixty-thousandths

_SHAPE = re.compile(
    r"(?P<amount>\S+) (?P<what>[a-z_]+)(?: ?/ ?(?P<per>[a-z]+))?"
    r"(?: for (?P<model>\S+))?(?: (?P<mode>strict|balanced))?"
)
_EXAMPLES = "'10 requests/minute', '1000000 total_tokens/day', '5 usd/month' or '20 parallel_requests'"


def parse_limit(text: str, *, model: str | None = None, mode: str = "strict") -> dict[str, Any]:
    """
    Return the limit that *text* says, with a new id.

    *model* (a name, or a pattern with `*`) and *mode* hold where the text has none of its
    own. Raises InvalidRequest, param `limit`.
    """
    shape = _SHAPE.fullmatch(" ".join(text.split()))
    if shape is None:
        raise _refused(f"'{text[:60]}' is not a limit: write it like {_EXAMPLES}")
    what = _what(shape["what"])
    per = _per(what, shape["per"])
    limit = {
        "id": f"lim_{secrets.token_hex(6)}",
        "what": what,
        "per": per,
        "max": _amount(shape["amount"], what, per),
        "mode": shape["mode"] or _mode(mode),
        "scope": "key",
    }
    if pattern := shape["model"] or model:
        if fault := pattern_fault(pattern):
            raise _refused(f"A pattern of models {fault}")
        limit["model"] = pattern
    return limit


def is_counted_strictly(limits: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a strict limit counts how long an answer is."""
    return any(limit["mode"] == "strict" and limit["what"] in COUNTING for limit in limits)


def describe(limit: dict[str, Any]) -> str:
    """Return the words that `parse_limit` reads as *limit*."""
    amount = int(limit["max"])
    if limit["what"] == "cost":
        words = f"{Decimal(amount) / MICRO_DOLLARS:f} usd"
    else:
        words = f"{amount} {limit['what']}"
    if limit["what"] != "parallel_requests":
        words += f"/{limit['per']}"
    if limit.get("model"):
        words += f" for {limit['model']}"
    return words if limit["mode"] == "strict" else f"{words} {limit['mode']}"


def _what(name: str) -> str:
    if name not in WHATS:
        raise _refused(f"'{name}' cannot be limited; these can: {', '.join(WHATS)}")
    return WHATS[name]


def _per(what: str, per: str | None) -> str:
    if what == "parallel_requests":
        if per:
            raise _refused("parallel_requests are counted at one moment: leave out '/" + per + "'")
        return "none"
    if per not in PERS:
        said = f"'/{per}' is no period" if per else "The period is missing"
        raise _refused(f"{said}; a limit is per {', '.join(PERS[:-1])} or {PERS[-1]}, like '/day'")
    return per


def _mode(mode: str) -> str:
    if mode not in MODES:
        raise _refused(f"A limit is {' or '.join(MODES)}, not '{mode[:20]}'")
    return mode


def _amount(text: str, what: str, per: str) -> int:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise _refused(f"'{text[:40]}' is not a number") from None
    if not number.is_finite() or number <= 0:
        raise _refused(f"A limit must be above zero, not {text[:40]}")
    most = MAX_SHORT if per in ("second", "minute") else MOST
    if number > most:
        raise _refused(f"A limit per {per} of more than {count(most)} is not a limit")
    units = number * MICRO_DOLLARS if what == "cost" else number
    if units != int(units):
        finest = "millionths of a dollar" if what == "cost" else "whole numbers"
        raise _refused(f"{what} are counted in {finest}: {text[:40]} is too fine")
    if units > most:
        raise _refused(f"A limit per {per} of more than {exact_dollars(most)} is not a limit")
    return int(units)


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest(message, param="limit")
