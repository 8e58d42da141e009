"""The next play for a request."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

Json = dict[str, Any]

MODEL_CALLS = ("/chat/completions", "/responses")
REPEATS = ("last", "cycle", "once")


@dataclass(slots=True)
class _Script:
    account: str  # a pattern
    model: str  # a pattern
    path: str | None  # end of the path; None is any model call
    plays: list[Json]
    repeat: str  # what follows the last play: itself, the first one, or the end of this script
    played: int = 0

    def fits(self, account: str, model: str | None, path: str) -> bool:
        return (
            fnmatchcase(account, self.account)
            and (self.model in ("*", model) or fnmatchcase(model or "", self.model))
            and path.endswith(MODEL_CALLS if self.path is None else self.path)
            and not (self.repeat == "once" and self.played == len(self.plays))
        )

    def closeness(self) -> tuple[bool, bool, bool]:
        return ("*" not in self.account, self.model != "*", self.path is not None)

    def next(self) -> Json:
        place, count = self.played, len(self.plays)
        self.played += 1
        return self.plays[place % count if self.repeat == "cycle" else min(place, count - 1)]


class Scripts:
    """Of the scripts that match and have plays left, the closest wins: by account, model, then path."""

    def __init__(self) -> None:
        self._scripts: list[_Script] = []

    def add(
        self,
        plays: list[Json],
        account: str = "*",
        model: str = "*",
        path: str | None = None,
        repeat: str = "last",
    ) -> None:
        """Set the plays for (account, model, path), in place of earlier ones."""
        if repeat not in REPEATS or not plays:
            raise ValueError(f"a script needs plays, and one of {REPEATS}")
        key = (account, model, path)
        self._scripts = [each for each in self._scripts if (each.account, each.model, each.path) != key]
        self._scripts.append(_Script(account, model, path, plays, repeat))

    def next(self, account: str, model: str | None, path: str) -> Json | None:
        fitting = [each for each in self._scripts if each.fits(account, model, path)]
        return max(fitting, key=_Script.closeness).next() if fitting else None

    def forget(self, account: str) -> None:
        self._scripts = [each for each in self._scripts if not fnmatchcase(each.account, account)]
