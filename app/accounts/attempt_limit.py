"""Limit failed attempts per minute and name, in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from app.errors import TooManyAttempts

WINDOW_SECONDS = 60.0
MAX_NAMES = 1000  # names whose attempts are stored, about 200 bytes each plus the attempts


class AttemptLimit:
    """Allows *max_attempts* in WINDOW_SECONDS for each name; successful attempts do not count."""

    def __init__(self, max_attempts: int, clock: Callable[[], float]) -> None:
        self._max_attempts = max_attempts
        self._clock = clock
        self._attempts: dict[str, deque[float]] = {}  # ordered by each name's first attempt

    def begin(self, name: str) -> None:
        """Count an attempt. Raises TooManyAttempts, without counting, if *name* had too many."""
        now, attempts = self._clock(), self._attempts.get(name)
        if attempts is None:
            while len(self._attempts) >= MAX_NAMES:
                del self._attempts[next(iter(self._attempts))]
            attempts = self._attempts[name] = deque()
        while attempts and now - attempts[0] >= WINDOW_SECONDS:
            attempts.popleft()
        if len(attempts) >= self._max_attempts:
            raise TooManyAttempts(
                "Too many tokens were refused; try again later",
                retry_after_seconds=attempts[0] + WINDOW_SECONDS - now,
            )
        attempts.append(now)

    def succeeded(self, name: str) -> None:
        """Uncount the newest attempt of *name*."""
        attempts = self._attempts.get(name)
        if attempts:
            attempts.pop()
        if not attempts:
            self._attempts.pop(name, None)
