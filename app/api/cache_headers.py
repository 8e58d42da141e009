"""
The headers of the response cache: `x-bf-cache-key`, `-ttl`, `-no-store`, `-type`.

Source: https://docs.getbifrost.ai (semantic caching); only identical requests match here, so
`x-bf-cache-threshold` has no effect.
"""

from __future__ import annotations

from flask import Response, request

from app.durations import parse_duration
from app.errors import InvalidRequest
from app.relay.context import Caching

DEFAULT_SECONDS = 300.0
MAX_SECONDS = 86_400.0
THRESHOLD = "x-bf-cache-threshold"


def read_caching() -> Caching | None:
    """Return the response cache options of this request, None if it has none. Raises InvalidRequest."""
    key = request.headers.get("x-bf-cache-key")
    if not key:
        return None
    if request.headers.get("x-bf-cache-type", "direct").lower() != "direct":
        raise InvalidRequest(
            "This gateway caches responses to identical requests only: x-bf-cache-type must be direct",
            param="x-bf-cache-type",
        )
    may_store = request.headers.get("x-bf-cache-no-store", "").lower() != "true"
    return Caching(key, _seconds(request.headers.get("x-bf-cache-ttl", "").strip()), may_store)


def report_ignored(response: Response) -> None:
    """Add the cache header that has no effect to `x-poolgate-ignored` of *response*."""
    if THRESHOLD in request.headers:
        ignored = response.headers.get("x-poolgate-ignored")
        response.headers["x-poolgate-ignored"] = f"{ignored}, {THRESHOLD}" if ignored else THRESHOLD


def _seconds(text: str) -> float:
    """Return a time to live: `300`, `30s`, `1h30m`, as Go writes durations."""
    if not text:
        return DEFAULT_SECONDS
    seconds = parse_duration(f"{text}s" if text.isdecimal() else text)
    if seconds is None or not 0 < seconds <= MAX_SECONDS:
        raise InvalidRequest("x-bf-cache-ttl must be a duration of at most 24h", param="x-bf-cache-ttl")
    return seconds
