"""
Count the model output in an event, in bytes of UTF-8.

Text, refusals, reasoning, arguments of calls and code count. Names, ids, types, signatures and
Base64 do not: servers repeat them, or they are not tokens.
"""

from __future__ import annotations

from typing import Any

import orjson

WRITTEN = (
    *("text", "refusal", "arguments", "input", "code", "summary", "content", "thinking", "transcript"),
    *("function", "custom"),
)
VISIBLE = ("content", "refusal", "tool_calls", "function_call", "audio")  # of a chat delta
# Servers send the same text under several of these names at once; it counts once.
REASONING = ("reasoning_content", "reasoning", "reasoning_details", "thinking")


def text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def written_bytes(value: Any) -> int:
    """Return the bytes of model output in *value*: a text, a part, a call, or a list of those."""
    if isinstance(value, str):
        return text_bytes(value)
    if isinstance(value, list):
        return sum(written_bytes(item) for item in value if isinstance(item, dict))
    if isinstance(value, dict):
        return sum(
            written_bytes(value[key]) if key != "arguments" else _argument_bytes(value[key])
            for key in WRITTEN
            if key in value
        )
    return 0


def _argument_bytes(arguments: Any) -> int:
    """Return the bytes of the arguments of a call; some servers send an object instead of its JSON."""
    return (
        written_bytes(arguments)
        if isinstance(arguments, str)
        else len(orjson.dumps(arguments))
        if arguments
        else 0
    )


def delta_bytes(delta: dict[str, Any]) -> int:
    """Return the bytes of model output in a chat delta or message."""
    reasoning = max((written_bytes(delta[key]) for key in REASONING if key in delta), default=0)
    return reasoning + sum(written_bytes(delta[key]) for key in VISIBLE if key in delta)
