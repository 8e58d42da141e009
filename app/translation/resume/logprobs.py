"""Cut the log probabilities of tokens together with their text."""

from __future__ import annotations

from typing import Any


def logprobs_after(entries: Any, removed: str) -> list[Any]:
    """
    Return the *entries* of a text, one for each token, without those of *removed*, with which it begins.

    A token that is only partly in *removed* has no probability of its own for the rest, so it is left out.
    [] for entries of an upstream that name no tokens.
    """
    if not isinstance(entries, list):
        return []
    left = len(removed.encode("utf-8", "surrogatepass"))
    for number, entry in enumerate(entries):
        if left <= 0:
            return entries[number:]
        size = _size(entry)
        if size is None:
            return []
        left -= size
    return []


def _size(entry: Any) -> int | None:
    """
    Return the length of a token in bytes, None if it is not known.

    A token may end within a character, which only `bytes` shows.
    """
    if not isinstance(entry, dict):
        return None
    given, token = entry.get("bytes"), entry.get("token")
    if isinstance(given, list):
        return len(given)
    return len(token.encode("utf-8", "surrogatepass")) if isinstance(token, str) else None
