"""Chat messages as instructions and input items."""

from __future__ import annotations

import copy

import pytest

from app.errors import InvalidRequest
from app.translation.requests.messages_to_input import call_id_of, input_from_messages

CALL = {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALL_ITEM = {"type": "function_call", "call_id": "call_a", "name": "f", "arguments": "{}"}
CUSTOM = {"id": "call_c", "type": "custom", "custom": {"name": "p", "input": "x"}}
CUSTOM_ITEM = {"type": "custom_tool_call", "call_id": "call_c", "name": "p", "input": "x"}
HI = {"role": "user", "content": "hi"}


def text(kind: str, value: str) -> dict:
    return {"type": kind, "text": value}


def user(*parts: dict) -> dict:
    return {"role": "user", "content": list(parts)}


def assistant(*parts: dict) -> dict:
    return {"role": "assistant", "content": list(parts)}


def items(*messages: dict) -> list[dict]:
    return input_from_messages(list(messages))[1]


class TestInstructions:
    @pytest.mark.parametrize(
        ("messages", "expected"),
        [
            ([HI], ""),
            ([{"role": "system", "content": "a"}, HI], "a"),
            ([{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}, HI], "a\nb"),
            ([{"role": "system", "content": "a"}, HI, {"role": "developer", "content": "b"}], "a"),
            ([{"role": "system", "content": [text("text", "a"), text("input_text", ""), "b"]}], "a\nb"),
            ([{"role": "system", "content": {"text": "a"}}], "a"),
            ([{"role": "system", "content": None}, {"role": "developer"}], ""),
        ],
    )
    def test_joined(self, messages, expected):
        """The system and developer text at the start, in order, one newline between."""
        assert input_from_messages(messages)[0] == expected

    @pytest.mark.parametrize("role", ["system", "developer"])
    def test_later_message(self, role):
        """It stays in place, so that the start of the prompt is the same in each turn."""
        before = [{"role": "system", "content": "a"}, HI, {"role": "assistant", "content": "b"}]
        note = {"role": role, "content": ["c", text("text", ""), text("text", "d")]}
        instructions, sent = input_from_messages([*before, note, HI])

        assert (instructions, sent[:2]) == input_from_messages(before)
        assert sent[2] == {"role": role, "content": [text("input_text", "c"), text("input_text", "d")]}
        assert sent[3] == items(HI)[0]

    def test_text_only(self):
        with pytest.raises(InvalidRequest) as raised:
            items(HI, {"role": "system", "content": [{"type": "image_url", "image_url": {"url": "x"}}]})

        assert raised.value.param == "messages"
        assert raised.value.message == "messages[1]: a system message takes text only"


class TestUser:
    @pytest.mark.parametrize(
        ("content", "parts"),
        [
            ("hi", [text("input_text", "hi")]),
            ("", [text("input_text", "")]),
            (["a", text("text", "b"), {"text": "c"}], [text("input_text", one) for one in "abc"]),
            (text("text", "a"), [text("input_text", "a")]),
            (
                [{"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}],
                [{"type": "input_image", "image_url": "https://x/y.png", "detail": "low"}],
            ),
            (
                [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": None}}],
                [{"type": "input_image", "image_url": "data:image/png;base64,AA"}],
            ),
            (
                [
                    {
                        "type": "file",
                        "file": {"file_data": "QUJD", "filename": "a.pdf", "mime_type": "application/pdf"},
                    }
                ],
                [{"type": "input_file", "filename": "a.pdf", "file_url": "data:application/pdf;base64,QUJD"}],
            ),
            (
                [{"file": {"data": "QUJD", "file_id": ""}}],
                [{"type": "input_file", "file_url": "data:application/octet-stream;base64,QUJD"}],
            ),
            (
                [{"type": "file", "file": {"file_data": "data:text/plain;base64,QQ"}}],
                [{"type": "input_file", "file_url": "data:text/plain;base64,QQ"}],
            ),
            (
                [{"type": "file", "file": {"file_url": "https://x/a.pdf"}}],
                [{"type": "input_file", "file_url": "https://x/a.pdf"}],
            ),
            (
                [{"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}],
                [{"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}],
            ),
            ([{"type": "input_image", "image_url": "x"}], [{"type": "input_image", "image_url": "x"}]),
        ],
    )
    def test_parts(self, content, parts):
        assert items({"role": "user", "content": content, "name": "ann"}) == [user(*parts)]

    @pytest.mark.parametrize(
        "part",
        [
            {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
            {"type": "video_url", "video_url": {"url": "x"}},
            {"type": "refusal", "refusal": "no"},
            {"type": "image_url", "image_url": "https://x"},
            {"type": "image_url"},
            {"type": "file", "file": {"file_id": "file-1"}},
            {"type": "file", "file": "x"},
            {"type": "file", "file": {"filename": "a.pdf"}},
            {"type": "text", "text": 1},
            7,
        ],
    )
    def test_refused(self, part):
        with pytest.raises(InvalidRequest) as raised:
            items({"role": "user", "content": [part]})

        assert raised.value.param == "messages"
        assert raised.value.message.startswith("messages[0]: ")

    @pytest.mark.parametrize("content", [None, []])
    def test_silent(self, content):
        """An empty message is not sent."""
        assert items({"role": "user", "content": content}) == []


class TestAssistant:
    @pytest.mark.parametrize(
        ("message", "expected"),
        [
            ({"content": "a"}, [assistant(text("output_text", "a"))]),
            (
                {"content": [text("text", "a"), text("output_text", "b")]},
                [assistant(text("output_text", "a"), text("output_text", "b"))],
            ),
            ({"content": None, "refusal": "no"}, [assistant({"type": "refusal", "refusal": "no"})]),
            (
                {"content": [{"type": "refusal", "refusal": "no"}]},
                [assistant({"type": "refusal", "refusal": "no"})],
            ),
            (
                {"content": "a", "tool_calls": [CALL, CUSTOM]},
                [assistant(text("output_text", "a")), CALL_ITEM, CUSTOM_ITEM],
            ),
            ({"content": "", "tool_calls": [CALL]}, [CALL_ITEM]),
            ({"tool_calls": [{"id": "call_a", "function": {"name": "f", "arguments": "{}"}}]}, [CALL_ITEM]),
            (
                {"content": "a", "reasoning_content": "hm", "reasoning_details": []},
                [assistant(text("output_text", "a"))],
            ),
            (
                {"content": [{"type": "reasoning", "text": "hm"}, text("text", "a")]},
                [assistant(text("output_text", "a"))],
            ),
            (
                {"content": [text("text", "a"), {"type": "reference", "reference_ids": [1]}]},
                [assistant(text("output_text", "a"))],
            ),
            ({"content": None, "tool_calls": None}, []),
        ],
    )
    def test_items(self, message, expected):
        """Text comes first, then its calls, in order; echoed reasoning is dropped."""
        assert items({"role": "assistant", **message}) == expected

    @pytest.mark.parametrize(
        "message",
        [
            {"audio": {"id": "audio_1"}},
            {"content": [{"type": "image_url"}]},
            {"tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"tool_calls": ["x"]},
            {"tool_calls": [{"id": "a", "function": {"arguments": "{}"}}]},
            {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {}}}]},
            {"tool_calls": [{"id": "a", "type": "function"}]},
        ],
    )
    def test_refused(self, message):
        with pytest.raises(InvalidRequest) as raised:
            items({"role": "assistant", **message})

        assert raised.value.param == "messages"


class TestTool:
    @pytest.mark.parametrize(
        ("content", "output"),
        [
            *(("x", "x"), ("", ""), ([], ""), (["a", "b"], "ab")),
            ([text("text", "a"), text("text", "b")], "ab"),
            ([text("text", "a"), {"type": "json", "json": 1}], 'a{"type":"json","json":1}'),
        ],
    )
    def test_output(self, content, output):
        """Texts are joined with nothing between them; parts of unknown types are their JSON."""
        message = {"role": "tool", "tool_call_id": "call_a", "content": content}

        assert items(message) == [{"type": "function_call_output", "call_id": "call_a", "output": output}]

    def test_output_of_a_custom_call(self):
        """The response to a custom call has a type of its own."""
        response = {"role": "tool", "tool_call_id": "call_c", "content": "ok"}

        assert items({"role": "assistant", "tool_calls": [CUSTOM]}, response) == [
            CUSTOM_ITEM,
            {"type": "custom_tool_call_output", "call_id": "call_c", "output": "ok"},
        ]

    @pytest.mark.parametrize("content", [None, 7, {"a": 1}, [{"type": "image_url"}]])
    def test_refused(self, content):
        with pytest.raises(InvalidRequest):
            items({"role": "tool", "tool_call_id": "call_a", "content": content})

    def test_without_id(self):
        with pytest.raises(InvalidRequest):
            items({"role": "tool", "content": "x"})

    @pytest.mark.parametrize(
        ("message", "call_id"),
        [
            ({"tool_call_id": "a", "call_id": "b"}, "a"),
            ({"tool_call_id": "", "toolCallId": "b"}, "b"),
            ({"call_id": "c"}, "c"),
            ({"tool_call_id": 1}, None),
        ],
    )
    def test_id(self, message, call_id):
        """The first non-empty string under any of its names."""
        assert call_id_of(message) == call_id


class TestDeprecatedFunctions:
    def test_call_and_response_share_a_made_up_id(self):
        call = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
        response = {"role": "function", "name": "f", "content": "1"}
        ids = [item["call_id"] for item in items(call, response, call, response)]

        assert ids[0] == ids[1] != ids[2] == ids[3]

    def test_response_without_call(self):
        with pytest.raises(InvalidRequest):
            items({"role": "function", "name": "f", "content": "1"})


@pytest.mark.parametrize(
    "message", [{"role": "robot", "content": "x"}, {"content": "x"}, "hi", {"role": ["user"]}]
)
def test_unknown_role(message):
    with pytest.raises(InvalidRequest) as raised:
        items(message)

    assert raised.value.param == "messages"


def test_messages_are_not_changed():
    messages = [
        HI,
        {"role": "assistant", "content": "a", "tool_calls": [CALL, CUSTOM]},
        {"role": "tool", "tool_call_id": "call_a", "content": [text("text", "x")]},
    ]
    before = copy.deepcopy(messages)
    input_from_messages(messages)

    assert messages == before


def test_images_of_tool_messages():
    """They are parts of the output."""
    image = {"type": "image_url", "image_url": {"url": "u"}}
    tool = {"role": "tool", "tool_call_id": "call_a", "content": [text("text", "a"), image]}
    sent = items({"role": "assistant", "tool_calls": [CALL]}, tool)

    assert sent[1]["output"] == [text("input_text", "a"), {"type": "input_image", "image_url": "u"}]


def test_images_among_parts_of_other_types():
    image = {"type": "image_url", "image_url": {"url": "u"}}
    tool = {"role": "tool", "tool_call_id": "call_a", "content": [{"type": "json"}, image]}
    sent = items({"role": "assistant", "tool_calls": [CALL]}, tool)

    assert sent[1]["output"][0] == text("input_text", '{"type":"json"}')


def test_long_ids():
    """The Responses API takes 64 characters; a call and its output have the same id."""
    call = {**CALL, "id": "call_" + "x" * 400}
    sent = items(
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "x"},
    )

    assert sent[0]["call_id"] == sent[1]["call_id"]
    assert len(sent[0]["call_id"]) == 64
