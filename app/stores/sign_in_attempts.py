"""Count attempts to sign in, within sliding windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from app.stores import keys
from app.stores.scripts import Scripts


@dataclass(frozen=True, slots=True)
class SignInAttemptLimit:
    """At most `max` attempts under `counter` within `window_seconds`, unless the marker `unless` is set."""

    counter: str
    max: int
    window_seconds: int
    unless: str = ""


@dataclass(frozen=True, slots=True)
class AttemptRefusal:
    """A refused attempt; `is_first` marks the first refusal of its window."""

    wait_seconds: float
    is_first: bool


class SignInAttemptRepository:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def count(self, attempt_id: str, limits: Sequence[SignInAttemptLimit]) -> AttemptRefusal | None:
        """Count an attempt under every limit; when one is spent, count nothing and return the refusal."""
        stored = [
            {"what": limit.counter, "most": limit.max, "window_ms": limit.window_seconds * 1000}
            | ({"unless": limit.unless} if limit.unless else {})
            for limit in limits
        ]
        wait_ms, *first = self._scripts.run(
            "throttle_sign_in", keys.SYSTEM, orjson.dumps({"id": attempt_id, "limits": stored})
        )
        return AttemptRefusal(int(wait_ms) / 1000, first == [1]) if wait_ms else None

    def read(self, marker: str, counter: str) -> tuple[bool, int]:
        """Return whether *marker* is set, and the number of attempts under *counter*."""
        pipeline = self._scripts.client.pipeline(transaction=False)
        pipeline.exists(keys.sign_in_attempts(marker))
        pipeline.zcard(keys.sign_in_attempts(counter))
        is_set, attempts = pipeline.execute()
        return bool(is_set), int(attempts)

    def clear(self, counter: str) -> None:
        """Remove every attempt under *counter*."""
        self._scripts.client.delete(keys.sign_in_attempts(counter))

    def clear_matching(self, prefix: str) -> None:
        """Remove every attempt under the counters that begin with *prefix*. Scans the store."""
        client = self._scripts.client
        for key in client.scan_iter(keys.sign_in_attempts(f"{prefix}*"), count=1000):
            client.delete(key)

    def succeed(
        self, attempt_id: str, *, clear: str, uncount: Sequence[str], marker: str, seconds: int
    ) -> None:
        """
        Record that an attempt succeeded.

        Clears the counter *clear*, takes the attempt out of the counters *uncount*, and sets *marker*
        for *seconds*. One round trip.
        """
        pipeline = self._scripts.client.pipeline(transaction=False)
        pipeline.delete(keys.sign_in_attempts(clear))
        for counter in uncount:
            pipeline.zrem(keys.sign_in_attempts(counter), attempt_id)
        pipeline.set(keys.sign_in_attempts(marker), "1", ex=seconds)
        pipeline.execute()
