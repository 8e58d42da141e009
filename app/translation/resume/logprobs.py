"""Cut the log probabilities of tokens together with their text."""

from __future__ import annotations

from typing import Any


def logprobs_after(entries: list[Any], removed: str) -> list[Any]:
    """
    Return the *entries* of a text, one for each token, without those of *removed*, with which it begins.

    A token that is only partly in *removed* has no probability of its own for the rest, so it is left out.
    """
    left = len(removed.encode("utf-8", "surrogatepass"))
    for number, entry in enumerate(entries):
        if left <= 0:
            return entries[number:]
        left -= _size(entry)
    return []


def _size(entry: dict[str, Any]) -> int:
    """Return the length of a token in bytes: it may end within a character, which only `bytes` shows."""
    given = entry.get("bytes")
    return len(given if given is not None else entry["token"].encode("utf-8", "surrogatepass"))
