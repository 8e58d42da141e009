"""Examples from real calls without what differs from run to run: times, IDs, secrets and local addresses."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any

NOON = 1_795_953_600  # 2026-11-29 12:00 UTC, which replaces the present
MAX_ITEMS, LAST_ITEMS = 20, 2  # of an array that has more than MAX_ITEMS, only the last are shown
FIXED = {  # values of fields of simulated services
    "interval_seconds": 5.0,
    "last_refresh": "2026-11-29T12:00:00Z",
    "refresh_token": "rt_…",
    "user_code": "ABCD-12345",
}
_RECENT = 400 * 86_400  # seconds
_ID = re.compile(r"\b([a-z]+_|)((?=\d*[a-f])[0-9a-f]{8,})\b")
_ENTRY = re.compile(r"\b\d{13}-\d+\b")  # of a stream of Redis
_DURATION = re.compile(r"_ms$|^p\d\d$|^points$")  # names of fields that are, or have, measured durations
_SECRETS = (
    (re.compile(r"\b(sk-pg-|whsec_|pgadm-)[\w=/+-]+"), r"\1…"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "eyJ…"),
    (re.compile(r"\b(token|code|state|code_challenge)=[\w.-]+"), r"\1=…"),
)


def _fixed(value: dict[str, Any]) -> dict[str, Any]:
    return {name: FIXED[name] for name in value.keys() & FIXED.keys()}


class Replacer:
    """Replaces values in JSON; *texts* are parts of strings and their replacements."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts, self._ids = texts, dict[str, str]()
        self._now = time.time()

    def replace(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.replace(name): self.replace(each) for name, each in (value | _fixed(value)).items()}
        if isinstance(value, list):
            return [self.replace(each) for each in value[-LAST_ITEMS if len(value) > MAX_ITEMS else 0 :]]
        if isinstance(value, str):
            return self._text(value)
        return self._number(value) if type(value) in (int, float) else value

    def _text(self, text: str) -> str:
        for part, other in self._texts.items():
            text = text.replace(part, other)
        for pattern, other in _SECRETS:
            text = pattern.sub(other, text)
        return _ID.sub(self._id, _ENTRY.sub(f"{NOON}000-0", text))

    def _id(self, found: re.Match[str]) -> str:
        """Return an ID of the same prefix that depends only on how many were found before."""
        number = f"{found[1]}{len(self._ids)}".encode()
        return self._ids.setdefault(found[0], found[1] + hashlib.sha256(number).hexdigest()[: len(found[2])])

    def _number(self, number: float) -> float:
        for unit in (1, 1000):  # Unix seconds and milliseconds
            if abs(number / unit - self._now) < _RECENT:
                minutes = round((number / unit - self._now) / 60)
                return type(number)((NOON + 60 * minutes) * unit)
        return number


def retain_measured(value: Any, earlier: Any, name: str = "") -> Any:
    """
    Return *value*, the field *name* of an example, with the times and durations that *earlier* has there.

    They differ from run to run: recorded again, examples differ only where the API has changed.
    """
    if isinstance(value, dict) and isinstance(earlier, dict):
        return {key: retain_measured(each, earlier.get(key), key) for key, each in value.items()}
    if isinstance(value, list) and isinstance(earlier, list) and len(value) == len(earlier):
        return [retain_measured(new, old, name) for new, old in zip(value, earlier, strict=True)]
    if type(value) is type(earlier) and type(value) in (int, float) and _is_measured(value, earlier, name):
        return earlier
    return value


def _is_measured(value: float, earlier: float, name: str) -> bool:
    are_times = any(
        all(abs(number / unit - NOON) < _RECENT for number in (value, earlier)) for unit in (1, 1000)
    )
    return are_times or _DURATION.search(name) is not None
