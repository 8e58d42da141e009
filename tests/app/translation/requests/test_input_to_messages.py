"""Input items as chat messages."""

from __future__ import annotations

import copy
from typing import ClassVar

import pytest

from app.errors import InvalidRequest
from app.translation.requests.carried_state import encode_state
from app.translation.requests.input_items import added_tools, input_items
from app.translation.requests.input_to_messages import SKIPPED_TYPES, fits_chat, messages_from_input

CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_a",
    "name": "f",
    "arguments": "{}",
    "status": "completed",
}
CHAT_CALL = {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CUSTOM = {"type": "custom_tool_call", "call_id": "call_c", "name": "p", "input": "x"}
CHAT_CUSTOM = {"id": "call_c", "type": "custom", "custom": {"name": "p", "input": "x"}}


def text(kind: str, value: str) -> dict:
    return {"type": kind, "text": value}


def message(*texts: str) -> dict:
    return {"type": "message", "role": "assistant", "content": [text("output_text", one) for one in texts]}


@pytest.mark.parametrize(
    ("items", "messages"),
    [
        ([{"role": "user", "content": "hi"}], [{"role": "user", "content": "hi"}]),
        ([{"role": "user", "content": [text("input_text", "hi")]}], [{"role": "user", "content": "hi"}]),
        ([{"role": "user", "content": []}], [{"role": "user", "content": ""}]),
        (
            [{"role": "user", "content": [text("input_text", "a"), text("input_text", "b")]}],
            [{"role": "user", "content": [text("text", "a"), text("text", "b")]}],
        ),
        (
            [{"role": "user", "content": [{"type": "input_image", "image_url": "u", "detail": "low"}]}],
            [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}],
                }
            ],
        ),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "input_file", "file_url": "data:a/b;base64,QQ", "filename": "f"}],
                }
            ],
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "file", "file": {"file_data": "data:a/b;base64,QQ", "filename": "f"}}
                    ],
                }
            ],
        ),
        (
            [{"role": "developer", "content": [text("input_text", "a"), text("input_text", "b")]}],
            [{"role": "system", "content": "a\nb"}],
        ),
        ([message("a", "b")], [{"role": "assistant", "content": "ab"}]),
        (
            [{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}],
            [{"role": "assistant", "content": None, "refusal": "no"}],
        ),
        (
            [message("a"), CALL, CUSTOM],
            [{"role": "assistant", "content": "a", "tool_calls": [CHAT_CALL, CHAT_CUSTOM]}],
        ),
        ([CALL], [{"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]}]),
        (
            [message("a"), {"type": "reasoning", "summary": []}, CALL],
            [{"role": "assistant", "content": "a", "tool_calls": [CHAT_CALL]}],
        ),
        (
            [{"type": "function_call_output", "call_id": "call_a", "output": "x"}],
            [{"role": "tool", "tool_call_id": "call_a", "content": "x"}],
        ),
        (
            [
                {
                    "type": "custom_tool_call_output",
                    "call_id": "call_c",
                    "output": [
                        text("input_text", "x"),
                        {"type": "input_image", "image_url": "u"},
                        text("input_text", "y"),
                    ],
                }
            ],
            [
                {"role": "tool", "tool_call_id": "call_c", "content": "xy"},
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]},
            ],
        ),
        (
            [{**CALL, "namespace": "files"}],
            [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{**CHAT_CALL, "function": {"name": "files__f", "arguments": "{}"}}],
                }
            ],
        ),
        ([{"type": kind} for kind in sorted(SKIPPED_TYPES)], []),
    ],
)
def test_messages(items, messages):
    before = copy.deepcopy(items)

    assert messages_from_input(items) == messages
    assert items == before


def test_order_of_turns():
    """Each round of calls is a message of its own, followed by its responses."""
    output = {"type": "function_call_output", "call_id": "call_a", "output": "x"}
    roles = [
        one["role"] for one in messages_from_input([message("a"), CALL, output, CALL, output, message("b")])
    ]

    assert roles == ["assistant", "tool", "assistant", "tool", "assistant"]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "item_reference", "id": "msg_1"},
        {"type": "compaction", "encrypted_content": "x"},
        {"type": "local_shell_call"},
        {"type": "shell_call", "call_id": "c"},
        {"type": ["odd"]},
        {"role": "robot", "content": "x"},
        {"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]},
        {"role": "user", "content": [{"type": "input_file", "file_url": "https://x/a.pdf"}]},
        {"role": "system", "content": [{"type": "input_image", "image_url": "u"}]},
        {"type": "function_call", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "file_id": "f"}]},
        "hi",
    ],
)
def test_refused(item):
    with pytest.raises(InvalidRequest) as raised:
        messages_from_input([item])

    assert raised.value.param == "input"
    assert not isinstance(item, dict) or not fits_chat(item)


def output(call_id: str, value) -> dict:
    return {"type": "function_call_output", "call_id": call_id, "output": value}


NOTE = {"role": "developer", "content": "note"}
OTHER = {**CALL, "call_id": "call_b"}
IMAGE = {"type": "input_image", "image_url": "u", "detail": "original"}


class TestOrder:
    """Chat servers want the outputs of calls directly behind the message with the calls."""

    @pytest.mark.parametrize(
        ("items", "expected"),
        [
            ([CALL, NOTE, output("call_a", "x")], ["assistant a", "tool a", "system"]),
            ([CALL, message("b"), output("call_a", "x")], ["assistant a", "tool a", "assistant"]),
            (
                [CALL, OTHER, output("call_b", "y"), output("call_a", "x")],
                ["assistant a b", "tool b", "tool a"],
            ),
            (
                [CALL, NOTE, OTHER, output("call_b", "y"), output("call_a", "x")],
                ["assistant a", "tool a", "system", "assistant b", "tool b"],
            ),
            (
                [CALL, output("call_a", "x"), OTHER, NOTE, output("call_b", "y"), message("c")],
                ["assistant a", "tool a", "assistant b", "tool b", "system", "assistant"],
            ),
        ],
    )
    def test_outputs_follow_their_calls(self, items, expected):
        assert [self.described(one) for one in messages_from_input(items)] == expected

    def described(self, one: dict) -> str:
        ids = [call["id"] for call in one.get("tool_calls", ())] + [one.get("tool_call_id")]
        return " ".join([one["role"], *(call_id[-1] for call_id in ids if call_id)])

    def test_images_of_outputs(self):
        """They follow all outputs of the round: nothing else may stand between these."""
        items = [CALL, OTHER, output("call_a", [IMAGE]), output("call_b", [text("input_text", "y"), IMAGE])]
        shown = {"type": "image_url", "image_url": {"url": "u", "detail": "high"}}
        sent = messages_from_input([*items, message("b")])

        assert [one["role"] for one in sent] == ["assistant", "tool", "tool", "user", "assistant"]
        assert (sent[2]["content"], sent[3]["content"]) == ("y", [shown, shown])
        assert sent[1]["content"]


class TestCalls:
    def test_custom_call_as_a_function_call(self):
        (sent,) = messages_from_input([CUSTOM], takes_custom=False)

        assert sent["tool_calls"] == [
            {"id": "call_c", "type": "function", "function": {"name": "p", "arguments": '{"input":"x"}'}}
        ]

    def test_local_shell(self):
        action = {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": 9}
        items = [
            {"type": "local_shell_call", "call_id": "call_l", "action": action},
            {"type": "local_shell_call_output", "id": "call_l", "output": "x"},
        ]
        sent = messages_from_input(items)

        assert sent[0]["tool_calls"][0]["function"] == {
            "name": "local_shell",
            "arguments": '{"command":["ls"],"timeout_ms":9}',
        }
        assert sent[1] == {"role": "tool", "tool_call_id": "call_l", "content": "x"}

    def test_empty_arguments(self):
        """Servers parse them."""
        (sent,) = messages_from_input([{**CALL, "arguments": ""}])

        assert sent["tool_calls"][0]["function"]["arguments"] == "{}"

    def test_long_id(self):
        long = "call_" + "x" * 400
        sent = messages_from_input([{**CALL, "call_id": long}, output(long, "x")])

        assert sent[0]["tool_calls"][0]["id"] == sent[1]["tool_call_id"] != long
        assert len(sent[1]["tool_call_id"]) == 64


class TestReasoning:
    REASONING: ClassVar = {"type": "reasoning", "content": [text("reasoning_text", "Hm")], "summary": []}

    def carried(self, state: dict) -> dict:
        return {"type": "reasoning", "summary": [], "encrypted_content": encode_state(state)}

    def test_goes_to_the_following_call(self):
        (sent,) = messages_from_input([self.REASONING, message("a"), CALL])

        assert sent["reasoning_content"] == "Hm"

    def test_of_clients_that_return_no_text(self):
        (sent,) = messages_from_input([self.carried({"key": "reasoning", "text": "Hm"}), CALL])

        assert sent["reasoning"] == "Hm"
        assert "reasoning_content" not in sent

    def test_calls_without_reasoning(self):
        """Servers that want it back refuse its absence, and accept that it is empty."""
        items = [CALL, output("call_a", "x"), self.REASONING, OTHER, output("call_b", "y"), message("b")]
        sent = messages_from_input(items)

        assert [one.get("reasoning_content") for one in sent] == ["", None, "Hm", None, None]

    def test_of_another_account(self):
        (sent,) = messages_from_input([{**self.REASONING, "encrypted_content": "gAAA"}, CALL])

        assert "reasoning_content" not in sent

    def test_before_a_user_turn(self):
        sent = messages_from_input([self.REASONING, {"role": "user", "content": "hi"}, message("a")])

        assert "reasoning_content" not in sent[1]

    @pytest.mark.parametrize("content", ["pgstate1.", "pgstate1.!", "pgstate1.e30=", "pgstate1.W10="])
    def test_unreadable(self, content):
        (sent,) = messages_from_input([{"type": "reasoning", "encrypted_content": content}, CALL])

        assert sent["tool_calls"]

    def test_details(self):
        """They go to the message or call that follows, beside the text, which may be in them alone."""
        details = [{"type": "reasoning.text", "text": "Hm", "index": 0}]
        both = {**self.REASONING, **self.carried({"key": "reasoning", "details": details})}
        both["content"] = self.REASONING["content"]
        items = [both, CALL, output("call_a", "x"), self.carried({"details": details}), OTHER]
        sent = messages_from_input(items)

        assert (sent[0]["reasoning"], sent[0]["reasoning_details"]) == ("Hm", details)
        assert sent[2]["reasoning_details"] == details
        assert "reasoning_content" not in sent[2]

    def test_details_alone_have_the_text(self):
        details = [{"type": "reasoning.text", "text": "Hm", "index": 0}]
        item = {**self.carried({"details": details}), "content": self.REASONING["content"]}
        (sent,) = messages_from_input([item, CALL])

        assert (sent["reasoning_details"], sent.get("reasoning_content")) == (details, None)

    def test_late_details(self):
        """They go to the message before, and continue its details of the same index."""
        early = [{"type": "reasoning.text", "text": "Hm", "index": 0}]
        late = [{"type": "reasoning.text", "signature": "s", "index": 0}, {"type": "reasoning.encrypted"}]
        items = [self.carried({"details": early}), CALL, self.carried({"late_details": late})]
        sent = messages_from_input([*items, output("call_a", "x"), message("b")])

        assert sent[0]["reasoning_details"] == [{**early[0], "signature": "s"}, late[1]]
        assert "reasoning_details" not in sent[2]

    def test_details_without_a_message(self):
        turn = {"role": "user", "content": "hi"}

        assert messages_from_input([self.carried({"late_details": [7], "details": [7]}), turn]) == [turn]

    @pytest.mark.parametrize("odd", [7, None, {"type": [], "index": {}}, {"type": [], "signature": 7}])
    def test_details_of_no_shape(self, odd):
        (sent,) = messages_from_input([CALL, self.carried({"late_details": [odd, odd]})])

        assert odd in sent["reasoning_details"]

    def test_signatures(self):
        """They return to their calls, also where they stand behind them."""
        extra = {"google": {"thought_signature": "c2ln"}}
        (sent,) = messages_from_input([CALL, OTHER, self.carried({"calls": {"call_a": extra}})])

        assert [call.get("extra_content") for call in sent["tool_calls"]] == [extra, None]


def test_input_as_string():
    assert input_items("hi") == [{"role": "user", "content": [text("input_text", "hi")]}]


@pytest.mark.parametrize("value", [None, 7, {}, True])
def test_input_of_another_type(value):
    with pytest.raises(InvalidRequest) as raised:
        input_items(value)

    assert raised.value.param == "input"


def test_added_tools():
    tools = [{"type": "function", "name": "f"}]

    assert (
        added_tools([message("a"), {"type": "additional_tools", "role": "developer", "tools": tools}])
        == tools
    )


def test_chat_parts_among_the_input():
    """Parts that have chat's form already stay as they are."""
    parts = [{"type": "image_url", "image_url": {"url": "u"}}, {"type": "file", "file": {"file_data": "x"}}]

    assert messages_from_input([{"role": "user", "content": parts}]) == [{"role": "user", "content": parts}]


def test_file_without_a_name():
    items = [{"role": "user", "content": [{"type": "input_file", "file_data": "x"}]}]

    assert messages_from_input(items)[0]["content"] == [{"type": "file", "file": {"file_data": "x"}}]
