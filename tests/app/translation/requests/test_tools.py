"""Tools and tool choices, nested and flat."""

from __future__ import annotations

import pytest

from app.errors import InvalidRequest
from app.translation.requests.chat_tool_names import ChatToolNames
from app.translation.requests.tools import (
    flat_choice,
    flat_tools,
    hosted_types,
    nested_choice,
    nested_tools,
    required_hosted_tools,
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


def nested_of(tools: list, *, takes_custom: bool = True) -> list:
    return nested_tools(tools, ChatToolNames(tools), takes_custom=takes_custom)


def choice_of(choice, tools: list | None = None, *, takes_custom: bool = True):
    return nested_choice(choice, ChatToolNames(tools or []), takes_custom=takes_custom)


@pytest.mark.parametrize(("nested", "flat"), PAIRS)
def test_tool_there_and_back(nested, flat):
    assert flat_tools([nested]) == [flat]
    assert nested_of([flat]) == [nested]


@pytest.mark.parametrize(("nested", "flat"), CHOICES)
def test_choice_there_and_back(nested, flat):
    assert flat_choice(nested) == flat
    assert choice_of(flat) == nested


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
        """Tools of a namespace stand alone, under a name with that of the namespace."""
        assert nested_of([self.NAMESPACE]) == [{"type": "function", "function": {"name": "files__read"}}]

    def test_choice_in_a_namespace(self):
        choice = {"type": "function", "namespace": "files", "name": "read"}

        assert choice_of(choice) == {"type": "function", "function": {"name": "files__read"}}

    def test_tools_of_the_upstream_are_left_out(self):
        tools = [{"type": "web_search"}, {"type": "mcp"}, PAIRS[0][1], {"type": "web_search"}]

        assert nested_of(tools) == [PAIRS[0][0]]
        assert hosted_types(tools) == ["web_search", "mcp"]

    def test_malformed(self):
        with pytest.raises(InvalidRequest) as raised:
            nested_of(["x"])

        assert raised.value.param == "tools"

    def test_custom_tool_as_a_function(self):
        """Its one argument is its input; the grammar is part of the description."""
        (tool,) = nested_of([{**PAIRS[1][1], "description": "d"}], takes_custom=False)

        assert tool["type"] == "function"
        assert tool["function"]["name"] == "c"
        assert tool["function"]["parameters"]["required"] == ["input"]
        assert tool["function"]["description"].startswith("d\n")
        assert GRAMMAR["definition"] in tool["function"]["description"]
        assert choice_of({"type": "custom", "name": "c"}, takes_custom=False) == {
            "type": "function",
            "function": {"name": "c"},
        }

    def test_local_shell(self):
        (tool,) = nested_of([{"type": "local_shell"}])

        assert tool["function"]["name"] == "local_shell"
        assert tool["function"]["parameters"]["required"] == ["command"]
        assert choice_of({"type": "local_shell"})["function"] == {"name": "local_shell"}

    def test_hosted_choice(self):
        with pytest.raises(InvalidRequest) as raised:
            choice_of({"type": "web_search"})

        assert raised.value.param == "tool_choice"

    @pytest.mark.parametrize(
        ("choice", "field"),
        [
            (None, None),
            ("auto", None),
            ("required", None),
            ({"type": "function", "name": "f"}, None),
            ({"type": "web_search"}, "tool_choice"),
            ({"type": "allowed_tools", "tools": [{"type": "web_search"}]}, "tool_choice"),
            ({"type": "allowed_tools", "tools": [{"type": "web_search"}, {"type": "function"}]}, None),
        ],
    )
    def test_forced_tool_of_the_upstream(self, choice, field):
        tools = [{"type": "web_search"}, {"type": "function", "name": "f"}]

        assert required_hosted_tools(choice, tools) == field

    @pytest.mark.parametrize(
        ("choice", "tools", "field"),
        [
            (None, [{"type": "web_search"}], "tools"),
            ("required", [{"type": "namespace", "tools": [{"type": "mcp"}]}], "tools"),
            ("none", [{"type": "web_search"}], None),
            (None, [], None),
            (None, [{"type": "web_search"}, NAMESPACE], None),
        ],
    )
    def test_only_tools_of_the_upstream(self, choice, tools, field):
        """A request without any other tool is about them."""
        assert required_hosted_tools(choice, tools) == field


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
