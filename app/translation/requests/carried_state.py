"""
State of a chat server that its next turn needs, carried by Responses clients.

Some servers refuse a turn without the reasoning of earlier tool calls, or without the signatures
that came with them. Chat clients return both; Responses clients return only what the protocol has.
`encrypted_content` of a reasoning item is such a place: opaque, and returned by every client, also
by those that return neither reasoning text nor unknown keys. OpenRouter's `reasoning_details`
have text and signatures, and go back as they came.

Sources: https://api-docs.deepseek.com/guides/thinking_mode,
https://ai.google.dev/gemini-api/docs/thought-signatures and
https://openrouter.ai/docs/use-cases/reasoning-tokens (preserving reasoning blocks)
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Literal, TypedDict

import orjson

PREFIX = "pgstate1."
# Key in a message or delta, which depends on the server
ReasoningKey = Literal["reasoning_content", "reasoning"]
REASONING_TEXT_KEYS: tuple[ReasoningKey, ...] = ("reasoning_content", "reasoning")

DETAILS: tuple[Literal["details", "late_details"], ...] = ("details", "late_details")


class CarriedState(TypedDict, total=False):
    key: ReasoningKey
    text: str  # the reasoning, if the client may not return it as text
    calls: dict[str, Any]  # `extra_content` by call id
    details: list[Any]  # `reasoning_details` of the message or call that follows
    late_details: list[Any]  # `reasoning_details` of the preceding message


def encode_state(state: CarriedState) -> str:
    """Return *state* as `encrypted_content`."""
    return PREFIX + base64.urlsafe_b64encode(orjson.dumps(state)).decode()


def is_carried(item: Mapping[str, Any]) -> bool:
    """Return whether *item* is a reasoning item that carries state, which only chat servers understand."""
    content = item.get("encrypted_content")
    return isinstance(content, str) and content.startswith(PREFIX)


def decode_state(item: Mapping[str, Any]) -> CarriedState:
    """Return the state that *item* carries, empty if it is unreadable: clients may send anything."""
    try:
        value = orjson.loads(base64.urlsafe_b64decode(item["encrypted_content"][len(PREFIX) :]))
        orjson.dumps([[[[[[[[value]]]]]]]])  # a state that is nested too deeply could not be sent
    except (ValueError, orjson.JSONEncodeError):
        return {}
    if not isinstance(value, dict):
        return {}
    state: CarriedState = {}
    if value.get("key") in REASONING_TEXT_KEYS:
        state["key"] = value["key"]
    if isinstance(value.get("text"), str):
        state["text"] = value["text"]
    if isinstance(value.get("calls"), dict):
        state["calls"] = value["calls"]
    for name in DETAILS:
        if isinstance(details := value.get(name), list):
            state[name] = details
    return state
