"""
The request fields that limit the length of a response: one table, by endpoint.

Reservations, the gateway's own output cap and the default output cap of an API key use it. A length
field of another endpoint limits nothing, because upstreams drop or refuse it; it is ignored here.

Source: https://platform.openai.com/docs/api-reference/chat/create,
https://platform.openai.com/docs/api-reference/responses/create and
https://platform.openai.com/docs/api-reference/completions/create
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The first name is the one that the gateway writes.
LENGTH_FIELDS: Mapping[str, tuple[str, ...]] = {
    "chat": ("max_completion_tokens", "max_tokens"),
    "responses": ("max_output_tokens",),
    "completions": ("max_tokens",),
}

MIN_RESPONSES_LENGTH = 16  # tokens; the Responses API refuses less, so smaller values are raised


def requested_lengths(client_protocol: str, body: Mapping[str, Any]) -> list[int]:
    """Return the lengths (tokens) that *body* sets, in the order of the protocol's names for them."""
    lengths = []
    for name in LENGTH_FIELDS.get(client_protocol, ()):
        value = body.get(name)
        if type(value) is int and value > 0:
            lengths.append(value)
    return lengths


def length_bound(client_protocol: str, body: Mapping[str, Any]) -> int | None:
    """
    Return the maximum tokens of one response that *body* requests, None where it names no length.

    Which of two names an upstream prefers is not known, so the larger one counts.
    """
    lengths = requested_lengths(client_protocol, body)
    return max(lengths) if lengths else None


def with_length(
    client_protocol: str, body: dict[str, Any], tokens: int, name: str | None = None
) -> dict[str, Any]:
    """Return *body*, which sets no length, with a length of *tokens* in the field *name* or the usual one."""
    return {**body, name or LENGTH_FIELDS[client_protocol][0]: tokens}
