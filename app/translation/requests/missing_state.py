"""
State of a chat server that a conversation lacks: calls without their reasoning, or without their signature.

Some clients do not return this state, and a conversation that another account began never had it. Servers
refuse such requests, but document or accept a placeholder, which is filled in where the state is absent.

Sources: https://api-docs.deepseek.com/guides/thinking_mode (presence is checked, at Kimi as well)
and https://ai.google.dev/gemini-api/docs/thought-signatures (FAQ: calls that another model made)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Body = dict[str, Any]
Json = dict[str, Any]

ABSENT_REASONING = "absent_reasoning_content"
ABSENT_SIGNATURE = "absent_thought_signature"
ANY_SIGNATURE = "skip_thought_signature_validator"

_REASONING = re.compile(
    r"reasoning_content\b.{0,80}\b(?:must be passed back|is missing)|\bmissing\W{1,3}reasoning_content\b",
    re.I,
)
_SIGNATURE = re.compile(r"\bmissing (?:a )?\W?thought_signature\b", re.I)


def missing_state(message: str, sent: Body) -> str | None:
    """Return the name of what a server's *message* reports as absent, if the request *sent* lacks it."""
    found = next((name for name, (words, _) in _KINDS.items() if words.search(message)), None)
    return found if found and lacks_state(sent, found) else None


def lacks_state(body: Body, name: str) -> bool:
    """Return whether calls in the chat request *body* lack the state called *name*."""
    _, filled = _KINDS[name]
    return any(filled(message) is not message for message in _calling(body))


def with_placeholders(body: Body, name: str) -> Body:
    """Return the chat request *body* with placeholders for the state called *name*."""
    _, filled = _KINDS[name]
    calling = {id(message) for message in _calling(body)}
    messages = body.get("messages") or []
    return {**body, "messages": [filled(each) if id(each) in calling else each for each in messages]}


def _calling(body: Body) -> Iterator[Json]:
    """Yield the messages that have tool calls."""
    for message in body.get("messages") or ():
        if isinstance(message, dict) and message.get("role") == "assistant":
            calls = message.get("tool_calls")
            if isinstance(calls, list) and calls and isinstance(calls[0], dict):
                yield message


def _with_reasoning(message: Json) -> Json:
    given = message.get("reasoning_content")
    return message if isinstance(given, str) else {**message, "reasoning_content": ""}


def _with_signature(message: Json) -> Json:
    """Return *message* with a signature at its first call; the others need none."""
    first, *others = message["tool_calls"]
    extra = first.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    if isinstance(google, dict) and google.get("thought_signature"):
        return message
    signed = {"google": {"thought_signature": ANY_SIGNATURE}}
    return {**message, "tool_calls": [{**first, "extra_content": signed}, *others]}


_KINDS: dict[str, tuple[re.Pattern[str], Callable[[Json], Json]]] = {
    ABSENT_REASONING: (_REASONING, _with_reasoning),
    ABSENT_SIGNATURE: (_SIGNATURE, _with_signature),
}
STATES = frozenset(_KINDS)
