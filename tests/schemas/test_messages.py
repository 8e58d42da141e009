from __future__ import annotations

import copy

import pytest

from schemas.fields import WireSchema
from schemas.messages import Messages


class Body(WireSchema):
    messages = Messages()


class ContinuedBody(WireSchema):
    messages = Messages(continues="conversation")


BODY, CONTINUED = Body(), ContinuedBody()

HI = {"role": "user", "content": "hi"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
CUSTOM = {"id": "call_2", "type": "custom", "custom": {"name": "patch", "input": ""}}
REQUESTED = {"role": "assistant", "content": None, "tool_calls": [CALL, CUSTOM]}
RESPONSE = {"role": "tool", "tool_call_id": "call_1", "content": "noon"}


def load(*messages):
    return BODY.load({"messages": list(messages)})["messages"]


@pytest.fixture
def refused(refusal):
    """Return the error of a list of messages."""

    def load(*messages):
        param, message = refusal(BODY, {"messages": list(messages)})
        assert param == "messages"
        return message

    return load


class TestShape:
    @pytest.mark.parametrize("messages", ["hi", 5, True, {}, HI])
    def test_no_array(self, refusal, messages):
        found = refusal(BODY, {"messages": messages})

        assert found == ("messages", "messages must be an array of messages")

    def test_an_empty_array(self, refused):
        assert refused() == "messages must have at least one message"

    @pytest.mark.parametrize("message", ["hi", 5, None, [], [HI]])
    def test_no_object(self, refused, message):
        assert refused(HI, message) == "messages[1] must be an object"

    @pytest.mark.parametrize("role", [None, "", "function", "User", 5, ["user"], {}])
    def test_no_role_we_know(self, refused, role):
        fault_message = "messages[1].role must be system or developer or user or assistant or tool"

        assert refused(HI, {"role": role, "content": "hi"}) == fault_message
        assert refused(HI, {"content": "hi"}) == fault_message

    @pytest.mark.parametrize("role", ["system", "developer", "user", "assistant"])
    def test_roles(self, role):
        for message in ({"role": role, "content": "hi"}, {"role": role}, {"role": role, "content": None}):
            assert load(message) == [message]

    def test_a_fault_in_the_content_is_placed(self, refused):
        assert refused(HI, {"role": "user", "content": [{"type": "text"}]}) == (
            "messages[1].content[0].text must be a string"
        )


class TestNulls:
    def test_they_go(self):
        """SDKs echo the nulls of a response; upstreams refuse some null fields in a request."""
        echoed = {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "tool_calls": None,
            "function_call": None,
            "reasoning": "x",
        }

        assert load(echoed) == [{"role": "assistant", "content": None, "reasoning": "x"}]

    def test_the_argument_stays(self):
        body = {"messages": [{"role": "assistant", "tool_calls": None, "content": ["hi"]}, HI]}
        before = copy.deepcopy(body)

        loaded = BODY.load(body)["messages"]

        assert body == before
        assert loaded[1] is body["messages"][1]


class TestAssistant:
    @pytest.mark.parametrize(
        "message",
        [
            {"refusal": "no"},
            {"content": "hi", "tool_calls": []},
            {"tool_calls": [CALL]},
            {"tool_calls": [{**CALL, "type": None, "index": 0}]},
            {"tool_calls": [CUSTOM]},
            {"function_call": {"name": "old", "arguments": "{}"}, "audio": {"id": "a"}},
        ],
    )
    def test_accepted(self, message):
        message = {"role": "assistant", **message}

        assert load(message) == [message]

    @pytest.mark.parametrize(
        ("message", "place"),
        [
            ({"refusal": 5}, "refusal must be a string"),
            ({"tool_calls": {}}, "tool_calls must be an array"),
            ({"tool_calls": "call"}, "tool_calls must be an array"),
            ({"tool_calls": [CALL, 5]}, "tool_calls[1] must be an object"),
            ({"tool_calls": [{}]}, "tool_calls[0].function must be an object"),
        ],
    )
    def test_refused(self, refused, message, place):
        assert refused({"role": "assistant", **message}) == f"messages[0].{place}"

    @pytest.mark.parametrize(
        ("change", "place"),
        [
            ({"id": None}, "id must be a non-empty string"),
            ({"id": ""}, "id must be a non-empty string"),
            ({"id": 5}, "id must be a non-empty string"),
            ({"id": ["call_1"]}, "id must be a non-empty string"),
            ({"function": None}, "function must be an object"),
            ({"function": "get_time"}, "function must be an object"),
            ({"type": "custom"}, "custom must be an object"),
            ({"function": {"arguments": "{}"}}, "function.name must be a non-empty string"),
            ({"function": {"name": "", "arguments": "{}"}}, "function.name must be a non-empty string"),
            ({"function": {"name": 5, "arguments": "{}"}}, "function.name must be a non-empty string"),
            ({"function": {"name": "f"}}, "function.arguments must be a string"),
            ({"function": {"name": "f", "arguments": {}}}, "function.arguments must be a string"),
            ({"type": "custom", "custom": {"name": "f", "input": 5}}, "custom.input must be a string"),
        ],
    )
    def test_a_malformed_call(self, refused, change, place):
        fault_message = refused({"role": "assistant", "tool_calls": [{**CALL, **change}]})

        assert fault_message == f"messages[0].tool_calls[0].{place}"


class TestTool:
    def test_a_response_to_an_earlier_call(self):
        messages = [HI, REQUESTED, RESPONSE, HI, {**RESPONSE, "tool_call_id": "call_2"}]

        assert load(*messages) == messages

    @pytest.mark.parametrize(
        "names",
        [
            {"toolCallId": "call_1"},
            {"call_id": "call_1"},
            {"tool_call_id": "", "toolCallId": None, "call_id": "call_1"},
            {"tool_call_id": "call_1", "toolCallId": "other", "call_id": "other"},
        ],
    )
    def test_other_names_of_the_id(self, names):
        load(REQUESTED, {"role": "tool", "content": "noon", **names})

    @pytest.mark.parametrize("call_id", [None, "", 5, ["call_1"]])
    def test_no_id(self, refused, call_id):
        fault_message = "messages[1].tool_call_id must be a non-empty string"

        assert refused(REQUESTED, {**RESPONSE, "tool_call_id": call_id}) == fault_message

    @pytest.mark.parametrize(
        "messages",
        [
            [RESPONSE],
            [HI, RESPONSE],
            [RESPONSE, REQUESTED],
            [REQUESTED, {**RESPONSE, "tool_call_id": "call_9"}],
        ],
    )
    def test_an_orphan(self, refused, messages):
        fault_message = refused(*messages)

        assert fault_message.endswith(".tool_call_id matches no tool call of an earlier assistant message")

    def test_an_orphan_whose_call_may_lie_elsewhere(self, refusal):
        """Only if the schema allows it, and only with that field."""
        body = {"messages": [RESPONSE]}

        assert CONTINUED.load({**body, "conversation": "conv_1"})["messages"] == [RESPONSE]
        assert refusal(CONTINUED, body)[0] == "messages"
        assert refusal(CONTINUED, {**body, "conversation": None})[0] == "messages"
        assert refusal(BODY, {**body, "conversation": "conv_1"})[0] == "messages"

    def test_content_is_a_must(self, refused):
        assert refused(REQUESTED, {**RESPONSE, "content": None}) == (
            "messages[1].content must be a string or an array of parts"
        )
