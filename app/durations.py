"""Parse durations as people, clients and upstreams write them: `24h`, `1h30m`, `6m0s`, `1.5s`, `20ms`."""

from __future__ import annotations

import re

MAX_CHARS = 64  # parsing time grows with the length
UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])", re.ASCII)


def seconds_in(text: str) -> float | None:
    """Return the sum of the durations that occur in *text*, None if there are none."""
    parts = _PART.findall(text[:MAX_CHARS])
    return sum(float(number) * UNIT_SECONDS[unit] for number, unit in parts) if parts else None


def parse_duration(text: str) -> float | None:
    """Return the seconds in *text*, None unless all of it is a duration."""
    if len(text) > MAX_CHARS or _PART.sub("", text):
        return None
    return seconds_in(text)
