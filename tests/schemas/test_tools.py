from __future__ import annotations

import pytest

from schemas.fields import WireSchema
from schemas.tools import BUILT_IN, ChatToolChoice, ChatTools, ResponsesToolChoice, ResponsesTools


class Chat(WireSchema):
    tools = ChatTools()
    tool_choice = ChatToolChoice()


class Responses(WireSchema):
    tools = ResponsesTools()
    tool_choice = ResponsesToolChoice()


CHAT, RESPONSES = Chat(), Responses()

both = pytest.mark.parametrize("schema", [CHAT, RESPONSES])
FLAT = {"type": "function", "name": "get_time", "parameters": {}}
NESTED = {"type": "function", "function": {"name": "get_time", "strict": None}}
CUSTOM = {"type": "custom", "custom": {"name": "patch", "format": {"type": "text"}}}
SEARCH = {"type": "web_search", "search_context_size": "low"}


class TestTools:
    @both
    @pytest.mark.parametrize(
        "tools",
        [
            [],
            [FLAT],
            [{"name": "get_time"}],
            [{"type": "custom", "name": "patch"}],
            [SEARCH],
            [{"type": "web_search_preview"}],
            [FLAT, SEARCH, {"type": "mcp", "name": "server"}],
        ],
    )
    def test_accepted(self, schema, tools):
        assert schema.load({"tools": tools})["tools"] is tools

    @pytest.mark.parametrize("tool", [NESTED, {"function": {"name": "f"}}, CUSTOM])
    def test_chat_nests(self, refusal, tool):
        assert CHAT.load({"tools": [tool]}) == {"tools": [tool]}
        if "type" in tool:
            assert refusal(RESPONSES, {"tools": [FLAT, tool]}) == (
                "tools[1]",
                "tools[1].name must be a non-empty string",
            )

    @pytest.mark.parametrize("kind", ["mcp", "local_shell", "namespace", "tool_search"])
    def test_a_nameless_tool_of_another_kind(self, refusal, kind):
        """Chat has no such thing; on the Responses wire it is the upstream's to know."""
        tools = {"tools": [{"type": kind}]}

        assert RESPONSES.load(tools) == tools
        assert refusal(CHAT, tools) == ("tools[0]", "tools[0].name must be a non-empty string")

    @both
    @pytest.mark.parametrize("tools", ["web_search", {}, 5, True, FLAT])
    def test_no_array(self, schema, refusal, tools):
        assert refusal(schema, {"tools": tools}) == ("tools", "tools must be an array of tools")

    @both
    @pytest.mark.parametrize(
        ("tool", "message"),
        [
            (5, "tools[1] must be an object"),
            (None, "tools[1] must be an object"),
            ([FLAT], "tools[1] must be an object"),
            ({}, "tools[1].name must be a non-empty string"),
            ({"type": "function"}, "tools[1].name must be a non-empty string"),
            ({"type": "function", "name": ""}, "tools[1].name must be a non-empty string"),
            ({"type": "function", "name": 5}, "tools[1].name must be a non-empty string"),
            ({"type": "custom"}, "tools[1].name must be a non-empty string"),
            ({"type": 5, "name": "f"}, "tools[1].type must be a string"),
            ({"type": ["function"], "name": "f"}, "tools[1].type must be a string"),
        ],
    )
    def test_a_malformed_tool_is_named(self, schema, refusal, tool, message):
        """It is refused, not dropped: the model would silently lack it."""
        assert refusal(schema, {"tools": [SEARCH, tool]}) == ("tools[1]", message)

    @pytest.mark.parametrize("function", [{}, {"name": ""}, {"name": 5}, {"name": None}])
    def test_a_nested_tool_without_a_name(self, refusal, function):
        tool = {"type": "function", "function": function, "name": "not this one"}

        assert refusal(CHAT, {"tools": [tool]}) == (
            "tools[0]",
            "tools[0].function.name must be a non-empty string",
        )

    @both
    @pytest.mark.parametrize("kind", BUILT_IN)
    def test_a_built_in_tool(self, schema, refusal, kind):
        """The error is that of the list, whatever else is wrong with the tool."""
        for tool in ({"type": kind}, {"type": kind, "name": "f", "function": {"name": "f"}}):
            assert refusal(schema, {"tools": [FLAT, tool]}) == (
                "tools",
                f"tools must not have {kind}: this built-in tool is not supported",
            )


class TestToolChoice:
    @both
    @pytest.mark.parametrize(
        "choice",
        [
            "none",
            "auto",
            "required",
            {},
            {"type": "function", "name": "get_time"},
            {"type": "web_search_preview"},
            {"type": "allowed_tools", "mode": "auto", "tools": []},
            {"type": ["odd"]},
        ],
    )
    def test_accepted(self, schema, choice):
        assert schema.load({"tool_choice": choice})["tool_choice"] is choice

    @both
    @pytest.mark.parametrize("choice", [["auto"], 5, True])
    def test_another_type(self, schema, refusal, choice):
        assert refusal(schema, {"tool_choice": choice}) == (
            "tool_choice",
            "tool_choice must be a string or an object",
        )

    @both
    @pytest.mark.parametrize("choice", ["", "any", "get_time", "Auto"])
    def test_another_word(self, schema, refusal, choice):
        assert refusal(schema, {"tool_choice": choice}) == (
            "tool_choice",
            "tool_choice must be none or auto or required, or an object",
        )

    @pytest.mark.parametrize("choice", [NESTED, CUSTOM])
    def test_chat_nests(self, refusal, choice):
        assert CHAT.load({"tool_choice": choice}) == {"tool_choice": choice}
        assert refusal(RESPONSES, {"tool_choice": choice})[0] == "tool_choice"

    @pytest.mark.parametrize(
        ("schema", "choice"),
        [
            (CHAT, {"type": "function"}),
            (CHAT, {"type": "function", "function": {}}),
            (CHAT, {"type": "function", "function": {"name": 5}}),
            (CHAT, {"type": "custom", "custom": {"name": ""}}),
            (RESPONSES, {"type": "function"}),
            (RESPONSES, {"type": "function", "name": ""}),
        ],
    )
    def test_a_forced_tool_without_a_name(self, schema, refusal, choice):
        assert refusal(schema, {"tool_choice": choice}) == (
            "tool_choice",
            f"tool_choice must name the {choice['type']} tool that it forces",
        )
