"""
The content types of upstreams that may be forwarded, and under which name.

A gateway's own origin must not show an upstream's page or script: HTML is a failure of the
upstream (a login page, a proxy's error), and a type that browsers execute becomes a neutral one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.upstream.responses import essence_of

NEUTRAL = "application/octet-stream"
EVENTS = "text/event-stream"
PAGES = frozenset(("text/html", "application/xhtml+xml"))
MAX_HEADER_CHARS = 200  # longest Content-Type that is forwarded unchanged; real ones are under 100

_SAFE = re.compile(
    r"audio/[\w.+-]+|video/[\w.+-]+|image/(?:png|jpeg|webp|gif|avif)"
    r"|text/(?:plain|vtt|csv|event-stream)|application/(?:json|x-ndjson|jsonl|x-subrip|octet-stream)"
    r"|application/[\w.-]+\+json",
    re.ASCII,
)
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


def is_json(essence: str) -> bool:
    return essence == "application/json" or (essence.startswith("application/") and essence.endswith("+json"))


def passing_type(headers: Mapping[str, str]) -> str:
    """Return the Content-Type that a caller receives for a response with *headers*."""
    essence = essence_of(headers)
    if not _SAFE.fullmatch(essence):
        return NEUTRAL
    value = headers.get("Content-Type", "").strip()
    return value if len(value) <= MAX_HEADER_CHARS and _PRINTABLE.fullmatch(value) else essence
