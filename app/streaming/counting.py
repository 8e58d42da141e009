"""
How much visible output an event carries, in bytes of UTF-8, in whichever form it arrives.

Everything that a model wrote counts: text, refusals, reasoning, arguments of calls, code.
Names, ids, types, signatures and Base64 do not: servers repeat them, or they are no tokens.
"""

from __future__ import annotations

from typing import Any

WRITTEN = (
    *("text", "refusal", "arguments", "input", "code", "summary", "content", "thinking", "transcript"),
    *("function", "custom"),
)
VISIBLE = ("content", "refusal", "tool_calls", "function_call", "audio")  # of a chat delta
# One text that servers send under several of these names at once counts once.
REASONING = ("reasoning_content", "reasoning", "reasoning_details", "thinking")


def text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def written_bytes(value: Any) -> int:
    """Return the bytes of what is written in *value*: a text, a part, a call, or a list of those."""
    if isinstance(value, str):
        return text_bytes(value)
    if isinstance(value, list):
        return sum(written_bytes(item) for item in value if isinstance(item, dict))
    if isinstance(value, dict):
        return sum(written_bytes(value[key]) for key in WRITTEN if key in value)
    return 0


def delta_bytes(delta: dict[str, Any]) -> int:
    """Return the bytes of what is written in a chat delta, or in a whole message."""
    reasoning = max((written_bytes(delta[key]) for key in REASONING if key in delta), default=0)
    return reasoning + sum(written_bytes(delta[key]) for key in VISIBLE if key in delta)
