"""A request that allows some of its tools, and the same with these alone."""

from __future__ import annotations

from typing import Any

import pytest

from app.translation.requests.allowed_tools import has_allowed_tools, with_only_allowed

CHAT_TOOLS = [{"type": "function", "function": {"name": name}} for name in "abc"]
TOOLS = [*({"type": "function", "name": name} for name in "ab"), {"type": "web_search", "filters": {}}]


def choice(*tools: Any, mode: str = "auto") -> dict[str, Any]:
    return {"type": "allowed_tools", "mode": mode, "tools": list(tools)}


@pytest.mark.parametrize(
    ("body", "tools", "mode"),
    [
        (
            {
                "tools": CHAT_TOOLS,
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "required", "tools": CHAT_TOOLS[1:]},
                },
            },
            CHAT_TOOLS[1:],
            "required",
        ),
        (
            {
                "tools": TOOLS,
                "tool_choice": choice({"type": "function", "name": "a"}, {"type": "web_search"}),
            },
            [TOOLS[0], TOOLS[2]],
            "auto",
        ),
    ],
    ids=["chat", "responses"],
)
def test_these_alone(body: dict[str, Any], tools: list[Any], mode: str) -> None:
    assert has_allowed_tools(body)
    assert with_only_allowed({"model": "m", **body}) == {"model": "m", "tools": tools, "tool_choice": mode}


@pytest.mark.parametrize(
    "body",
    [
        {"tools": TOOLS},
        {"tools": TOOLS, "tool_choice": "auto"},
        {"tools": TOOLS, "tool_choice": {"type": "function", "name": "a"}},
        {"tools": TOOLS, "tool_choice": choice({"type": "function", "name": "unknown"})},
        {"tools": TOOLS, "tool_choice": choice({"type": "function", "name": "a"}, mode="other")},
        {"tools": TOOLS, "tool_choice": {"type": "allowed_tools"}},
        {"tools": None, "tool_choice": choice("a", None)},
    ],
)
def test_others(body: dict[str, Any]) -> None:
    assert not has_allowed_tools(body)
