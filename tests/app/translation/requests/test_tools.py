"""Tools and tool choices, nested and flat."""

from __future__ import annotations

import pytest

from app.errors import InvalidRequest
from app.translation.requests.tools import (
    flat_choice,
    flat_tools,
    nested_choice,
    nested_tools,
    qualified_names,
    web_search_tool,
)

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
GRAMMAR = {"syntax": "lark", "definition": "start: WORD"}
PAIRS = [
    (
        {
            "type": "function",
            "function": {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True},
        },
        {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": True},
    ),
    (
        {"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": GRAMMAR}}},
        {"type": "custom", "name": "c", "format": {"type": "grammar", **GRAMMAR}},
    ),
    (
        {"type": "custom", "custom": {"name": "c", "description": "d", "format": {"type": "text"}}},
        {"type": "custom", "name": "c", "description": "d", "format": {"type": "text"}},
    ),
]
CHOICES = [
    ("none", "none"),
    ("auto", "auto"),
    ("required", "required"),
    ({"type": "function", "function": {"name": "f"}}, {"type": "function", "name": "f"}),
    ({"type": "custom", "custom": {"name": "c"}}, {"type": "custom", "name": "c"}),
    (
        {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
        },
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
    ),
]


@pytest.mark.parametrize(("nested", "flat"), PAIRS)
def test_tool_there_and_back(nested, flat):
    assert flat_tools([nested]) == [flat]
    assert nested_tools([flat]) == [nested]


@pytest.mark.parametrize(("nested", "flat"), CHOICES)
def test_choice_there_and_back(nested, flat):
    assert flat_choice(nested) == flat
    assert nested_choice(flat) == nested


class TestFlat:
    @pytest.mark.parametrize(
        ("tool", "flat"),
        [
            (
                {"function": {"name": "f", "parameters": SCHEMA}},
                {"type": "function", "name": "f", "parameters": SCHEMA, "strict": False},
            ),
            (
                {"type": "function", "function": {"name": "f", "description": None, "strict": "yes"}},
                {
                    "type": "function",
                    "name": "f",
                    "parameters": {"type": "object", "properties": {}},
                    "strict": False,
                },
            ),
            (
                {"type": "function", "name": "f", "parameters": SCHEMA, "more": 1},
                {"type": "function", "name": "f", "parameters": SCHEMA, "more": 1, "strict": False},
            ),
            ({"type": "web_search"}, {"type": "web_search"}),
            (
                {"type": "web_search_preview", "search_context_size": "low", "filters": {}},
                {"type": "web_search", "search_context_size": "low", "filters": {}},
            ),
            ({"type": "brand_new", "name": "n"}, {"type": "brand_new", "name": "n"}),
            (
                {"type": "function", "function": {"name": "f", "parameters": SCHEMA}, "cache_control": {}},
                {"type": "function", "name": "f", "parameters": SCHEMA, "strict": False},
            ),
        ],
    )
    def test_tool(self, tool, flat):
        """A function without `strict` is not strict in chat; in Responses it would be."""
        assert flat_tools([tool]) == [flat]

    @pytest.mark.parametrize(
        "tool",
        [
            "x",
            None,
            {},
            {"type": "function"},
            {"type": "function", "function": {}},
            {"type": "custom", "custom": {}},
            {"type": "function", "function": {"name": ""}},
            {"type": "brand_new"},
        ],
    )
    def test_refused(self, tool):
        """A tool that would be lost is refused, by its place."""
        with pytest.raises(InvalidRequest) as raised:
            flat_tools([PAIRS[0][0], tool])

        assert raised.value.param == "tools[1]"

    @pytest.mark.parametrize(
        ("choice", "flat"),
        [
            ({"type": "web_search_preview"}, {"type": "web_search"}),
            ({"type": "function", "name": "f"}, {"type": "function", "name": "f"}),
            ({"type": "mcp", "server_label": "s"}, {"type": "mcp", "server_label": "s"}),
        ],
    )
    def test_choice(self, choice, flat):
        assert flat_choice(choice) == flat

    @pytest.mark.parametrize(
        "choice",
        ["f", 7, [], {}, {"type": "function"}, {"type": "function", "function": {}}, {"type": "custom"}],
    )
    def test_refused_choice(self, choice):
        with pytest.raises(InvalidRequest) as raised:
            flat_choice(choice)

        assert raised.value.param == "tool_choice"

    def test_order_is_preserved(self):
        tools = [{"function": {"name": name}} for name in "cabd"]

        assert [tool["name"] for tool in flat_tools(tools)] == list("cabd")


class TestNested:
    NAMESPACE = {"type": "namespace", "name": "files", "tools": [{"type": "function", "name": "read"}]}

    def test_namespace(self):
        """Tools of a namespace stand alone, under a name that can be taken apart again."""
        assert nested_tools([self.NAMESPACE]) == [{"type": "function", "function": {"name": "files__read"}}]
        assert qualified_names([self.NAMESPACE, PAIRS[0][1]]) == {"files__read": ("files", "read")}

    def test_choice_in_a_namespace(self):
        choice = {"type": "function", "namespace": "files", "name": "read"}

        assert nested_choice(choice) == {"type": "function", "function": {"name": "files__read"}}

    @pytest.mark.parametrize("tool", [{"type": "web_search"}, {"type": "mcp"}, {"type": "local_shell"}, "x"])
    def test_hosted(self, tool):
        with pytest.raises(InvalidRequest) as raised:
            nested_tools([tool])

        assert raised.value.param == "tools"

    def test_hosted_choice(self):
        with pytest.raises(InvalidRequest) as raised:
            nested_choice({"type": "web_search"})

        assert raised.value.param == "tool_choice"


class TestWebSearchOptions:
    @pytest.mark.parametrize(
        ("options", "tool"),
        [
            ({}, {"type": "web_search"}),
            ({"search_context_size": "low"}, {"type": "web_search", "search_context_size": "low"}),
            (
                {"user_location": {"type": "approximate", "approximate": {"city": "Oslo"}}},
                {"type": "web_search", "user_location": {"type": "approximate", "city": "Oslo"}},
            ),
        ],
    )
    def test_tool(self, options, tool):
        assert web_search_tool(options) == tool
