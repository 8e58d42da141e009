"""
Parse the token usage of a response, from either protocol.

Servers report details under different names (`_NAMES`). Some report reasoning outside the output, or only in
the total: then the total decides, because it is what they bill. Some use the names of the other protocol,
which are read if those of their own protocol are absent. Some write numbers as texts.

Source: https://platform.openai.com/docs/api-reference/chat/object and
https://platform.openai.com/docs/api-reference/responses/object; other names are those of
https://api-docs.deepseek.com (`prompt_cache_hit_tokens`), https://platform.moonshot.ai
(`cached_tokens`), https://docs.mistral.ai (`num_cached_tokens`), https://help.aliyun.com
(`cache_creation_input_tokens`) and SGLang (`reasoning_tokens`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields, replace
from itertools import islice
from typing import Any

from app.records import record
from schemas import bounds


@record
class Usage:
    """
    Token counts of a response. Details are parts of the totals, not additions.

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
    image_input_tokens: int | None = None
    image_output_tokens: int | None = None


CHAT = ("prompt_tokens", "completion_tokens")  # the names of the input and the output
RESPONSES = ("input_tokens", "output_tokens")
_TOTALS = frozenset((*CHAT, *RESPONSES, "total_tokens"))  # fields of a usage without details

_COUNTS = tuple(field.name for field in fields(Usage))

MAX_UNCONFIRMED_TOKENS = (
    10**7
)  # more than any context window; counted in addition to the sides, without a total

MAX_UNKNOWN_NAMES = 20
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)

# Each detail, with the places where servers report it: (holder, key).
_NAMES: dict[str, tuple[tuple[str, str], ...]] = {
    "cached_tokens": (
        ("input", "cached_tokens"),
        ("", "prompt_cache_hit_tokens"),
        ("", "cached_tokens"),
        ("", "num_cached_tokens"),
    ),
    "cache_write_tokens": (
        ("input", "cache_write_tokens"),
        ("input", "cache_creation_input_tokens"),
        ("input", "cache_creation_tokens"),
        ("", "cache_creation_input_tokens"),
    ),
    "reasoning_tokens": (("output", "reasoning_tokens"), ("", "reasoning_tokens")),
    "audio_input_tokens": (("input", "audio_tokens"),),
    "audio_output_tokens": (("output", "audio_tokens"),),
    "image_input_tokens": (("input", "image_tokens"),),
    "image_output_tokens": (("output", "image_tokens"),),
}


def image_tool_usage(response: Any) -> Usage | None:
    """
    Return what the image tool used in *response*, which its `usage` does not include; None if not reported.

    All of the tool's output is images, unless it reports a part.
    """
    tools = response.get("tool_usage") if isinstance(response, dict) else None
    usage = usage_from_responses(tools.get("image_gen")) if isinstance(tools, dict) else None
    if usage is None or usage.image_output_tokens is not None:
        return usage
    return replace(usage, image_output_tokens=usage.output_tokens)


def total_usage(usages: Iterable[Usage]) -> Usage | None:
    """Return the sum of *usages*, None without one. A detail is the sum of those that were reported."""
    each = list(usages)
    if not each:
        return None
    counts: dict[str, Any] = {}
    for name in _COUNTS:
        reported = [count for usage in each if (count := getattr(usage, name)) is not None]
        counts[name] = sum(reported) if reported else None
    return Usage(**counts)


def usage_from_chat(usage: Any) -> Usage | None:
    """Return the usage in a chat `usage` object, None if its counts are absent or implausible."""
    return _usage(usage, CHAT, RESPONSES)


def usage_from_responses(usage: Any) -> Usage | None:
    """Return the usage in a Responses `usage` object, None if its counts are absent or implausible."""
    return _usage(usage, RESPONSES, CHAT)


def names_of_unknown(usage: Any) -> tuple[str, ...]:
    """
    Return the names of the fields of a usage without known counts, `usage` if it has no fields.

    Only texts that look like names are returned, so that they never contain a value.
    """
    names = usage if isinstance(usage, dict) else ()
    fields_of = [name for name in islice(names, MAX_UNKNOWN_NAMES) if _FIELD_NAME.fullmatch(name)]
    return tuple(sorted(fields_of)) or ("usage",)


def _usage(usage: Any, own: tuple[str, str], other: tuple[str, str]) -> Usage | None:
    """Return the usage under a protocol's *own* names, or under the *other* names where those are absent."""
    if not isinstance(usage, dict):
        return None
    input_key, output_key = _key(usage, own[0], other[0]), _key(usage, own[1], other[1])
    if not _is_plausible(usage, input_key) or not _is_plausible(usage, output_key):
        return None  # a report with an implausible side is discarded; usage is estimated
    total = _count(usage, "total_tokens")
    sides = _sides(_count(usage, input_key), _count(usage, output_key), total)
    if sides is None:
        return None
    details = dict.fromkeys(_NAMES) if usage.keys() <= _TOTALS else _details(usage, own, other)
    tokens_in, tokens_out = _billed(*sides, total, details["cached_tokens"], details["reasoning_tokens"])
    for name, count in details.items():  # a part is never greater than its total
        if count is not None:
            details[name] = min(count, tokens_in if _is_of_input(name) else tokens_out)
    return Usage(tokens_in, tokens_out, max(total or 0, tokens_in + tokens_out), **details)


def _details(usage: dict[str, Any], own: tuple[str, str], other: tuple[str, str]) -> dict[str, int | None]:
    """Return the details in *usage* by the names of `_NAMES`; None for absent ones."""
    holders = {
        "": usage,
        "input": usage.get(f"{own[0]}_details")
        or usage.get("prompt_token_details")  # Mistral
        or usage.get(f"{other[0]}_details"),
        "output": usage.get(f"{own[1]}_details") or usage.get(f"{other[1]}_details"),
    }
    return {name: _detail(holders, places) for name, places in _NAMES.items()}


def _key(usage: dict[str, Any], own: str, other: str) -> str:
    """Return the key of a count: *own*, unless it is absent, or is 0 while *other* is not (New API)."""
    value = usage.get(own)
    return own if value or (value is not None and not usage.get(other)) else other


def _is_of_input(detail: str) -> bool:
    return "input" in detail or "cache" in detail


def _detail(holders: dict[str, Any], places: tuple[tuple[str, str], ...]) -> int | None:
    """Return the first count at *places* that is not 0; 0 if all are 0, None if there is none."""
    reported = None
    for name, key in places:
        holder = holders[name]
        if type(holder) is dict and key in holder and (count := _tokens(holder[key])) is not None:
            if count:
                return count
            reported = 0
    return reported


def _billed(
    tokens_in: int, tokens_out: int, total: int | None, cached: int | None, reasoning: int | None
) -> tuple[int, int]:
    """
    Return (input, output) including tokens that are not part of the reported ones.

    Cached tokens are added to the input if they exceed it, and reasoning to the output if it exceeds that,
    where the total includes them, or where there is no total and they are plausible. Any rest of the total
    counts as hidden reasoning.
    """
    cached = cached if cached is not None and cached > tokens_in else 0
    if total is None:
        extra = reasoning if reasoning is not None and reasoning > tokens_out else 0
        return tokens_in + _if_plausible(cached), tokens_out + _if_plausible(extra)
    rest = max(0, total - tokens_in - tokens_out)
    if cached and rest >= cached:
        return tokens_in + cached, tokens_out + rest - cached
    return tokens_in, tokens_out + rest


def _if_plausible(added: int) -> int:
    """Return a count that no total confirms; 0 if it is implausible."""
    return added if added <= MAX_UNCONFIRMED_TOKENS else 0


def _sides(tokens_in: int | None, tokens_out: int | None, total: int | None) -> tuple[int, int] | None:
    """Return (input, output); one that is absent is derived from the total. None if that is impossible."""
    if tokens_in is not None and tokens_out is not None:
        return tokens_in, tokens_out
    present = tokens_in if tokens_out is None else tokens_out
    if present is None or total is None or total < present:
        return None
    return (present, total - present) if tokens_out is None else (total - present, present)


def _is_plausible(usage: dict[str, Any], key: str) -> bool:
    """Return whether a side is absent or a valid count; only a number above the bounds is neither."""
    value = _number(usage.get(key))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    return value < 0 or bounds.tokens(value) is not None


def _count(holder: dict[str, Any], key: str) -> int | None:
    return _tokens(holder.get(key))


def _tokens(value: Any) -> int | None:
    return bounds.tokens(_number(value) if type(value) is str else value)


def _number(value: Any) -> Any:
    """Return the number in a text of digits; return other values unchanged."""
    number = bounds.parse_integer(value) if type(value) is str else None
    return value if number is None else number
