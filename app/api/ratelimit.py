"""
The x-ratelimit-* headers: the state of the caller's limits after this request, as OpenAI reports it.

Of several limits of one kind the tightest is reported: the one with the least remaining.

Source: https://platform.openai.com/docs/guides/rate-limits (rate limits in headers)
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from app.stores.records.admission import LimitStanding
from app.stores.records.limits import LimitUnit

_HEADER_KINDS = {unit.value: unit.traits.header_kind for unit in LimitUnit if unit.traits.header_kind}


def ratelimit_headers(standings: Iterable[LimitStanding], now: float) -> dict[str, str]:
    """
    Return the headers for *standings*. A limit that never resets has no reset header.

    *now* is in Unix seconds, on the store's clock.
    """
    tightest: dict[str, tuple[int, int, int]] = {}
    for standing in standings:
        kind = _HEADER_KINDS.get(standing.unit)
        figures = (max(0, int(standing.remaining)), int(standing.maximum), int(standing.reset_ms))
        if kind and (kind not in tightest or figures < tightest[kind]):
            tightest[kind] = figures
    headers = {}
    for kind, (remaining, maximum, reset_ms) in tightest.items():
        headers[f"x-ratelimit-limit-{kind}"] = str(maximum)
        headers[f"x-ratelimit-remaining-{kind}"] = str(remaining)
        if reset_ms:
            headers[f"x-ratelimit-reset-{kind}"] = duration(reset_ms / 1000 - now)
    return headers


def duration(seconds: float) -> str:
    """Return a duration in Go's format, which clients read: `1h0m5s`, `6m0s`, `2s` or `120ms`."""
    milliseconds = max(0, math.ceil(round(seconds * 1000, 3)))
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(math.ceil(milliseconds / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
