"""A text that must come again before anything new may."""

from __future__ import annotations


class PrefixMatcher:
    def __init__(self, text: str) -> None:
        self._text = text
        self._offset = 0

    @property
    def matched(self) -> bool:
        """Whether all of the text has come again."""
        return self._offset == len(self._text)

    def remove_prefix(self, delta: str) -> str:
        """Return what *delta* has beyond the text. Raises ValueError where it differs from it."""
        expected = self._text[self._offset : self._offset + len(delta)]
        if not delta.startswith(expected):
            raise ValueError("the new answer differs from what was delivered")
        self._offset += len(expected)
        return delta[len(expected) :]
