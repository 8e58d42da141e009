"""Match the beginning of a second response with the text of the first."""

from __future__ import annotations


class PrefixMatcher:
    """Removes *text* from the beginning of a stream of deltas."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._offset = 0

    @property
    def matched(self) -> bool:
        """Whether all of the text has been matched."""
        return self._offset == len(self._text)

    def remove_prefix(self, delta: str) -> str:
        """Return the part of *delta* after the text. Raises ValueError if it differs from the text."""
        expected = self._text[self._offset : self._offset + len(delta)]
        if not delta.startswith(expected):
            raise ValueError("the new response differs from what was delivered")
        self._offset += len(expected)
        return delta[len(expected) :]
