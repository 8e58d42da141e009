"""A text that must come again before anything new may."""

from __future__ import annotations


class Prefix:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    @property
    def matched(self) -> bool:
        """Whether all of the text has come again."""
        return self._at == len(self._text)

    def rest_of(self, delta: str) -> str:
        """Return what *delta* has beyond the text. Raises ValueError where it differs from it."""
        due = self._text[self._at : self._at + len(delta)]
        if not delta.startswith(due):
            raise ValueError("the new answer differs from what was delivered")
        self._at += len(due)
        return delta[len(due) :]
