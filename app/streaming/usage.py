"""
Parse the token usage of an answer, from either protocol.

Source: https://platform.openai.com/docs/api-reference/chat/object and
https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from typing import Any

from app.records import record
from schemas import bounds


@record
class Usage:
    """
    Token counts. Details are parts of the totals, not additions to them.

    None means that the upstream did not report the count, which differs from zero.
    """

    input_tokens: int
    output_tokens: int
    total_tokens: int
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None


def usage_from_chat(usage: Any) -> Usage | None:
    """Return the usage in a chat `usage` object, None if its counts are absent or implausible."""
    return _usage(usage, "prompt_tokens", "completion_tokens")


def usage_from_responses(usage: Any) -> Usage | None:
    """Return the usage in a Responses `usage` object, None if its counts are absent or implausible."""
    return _usage(usage, "input_tokens", "output_tokens")


def _usage(usage: Any, input_key: str, output_key: str) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    if not _is_plausible(usage, input_key) or not _is_plausible(usage, output_key):
        return None  # a report with one implausible side is discarded, and estimated
    total = _count(usage, "total_tokens")
    sides = _sides(_count(usage, input_key), _count(usage, output_key), total)
    if sides is None:
        return None
    into, out = usage.get(f"{input_key}_details"), usage.get(f"{output_key}_details")
    return Usage(
        *sides,
        total_tokens=sum(sides) if total is None else total,
        cached_tokens=_count(into, "cached_tokens"),
        cache_write_tokens=_count(into, "cache_write_tokens"),
        reasoning_tokens=_count(out, "reasoning_tokens"),
        audio_input_tokens=_count(into, "audio_tokens"),
        audio_output_tokens=_count(out, "audio_tokens"),
    )


def _sides(tokens_in: int | None, tokens_out: int | None, total: int | None) -> tuple[int, int] | None:
    """Return (input, output); an absent side is the rest of the total, else 0."""
    if tokens_in is None and tokens_out is None:
        return None
    if tokens_in is None:
        tokens_in = max((total or 0) - (tokens_out or 0), 0)
    if tokens_out is None:
        tokens_out = max((total or 0) - tokens_in, 0)
    return tokens_in, tokens_out


def _is_plausible(usage: dict[str, Any], key: str) -> bool:
    """Return whether a side is absent or a valid count; only a number above the bounds is neither."""
    value = usage.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    return value < 0 or bounds.tokens(value) is not None


def _count(holder: Any, key: str) -> int | None:
    return bounds.tokens(holder.get(key)) if isinstance(holder, dict) else None
