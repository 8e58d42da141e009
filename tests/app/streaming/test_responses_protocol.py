from __future__ import annotations

from typing import Any

import pytest

from app.streaming.events import DONE, Event
from app.streaming.progress import Stage
from app.streaming.responses_protocol import ResponsesReader, event_type, is_opening
from app.streaming.usage import Usage

RESPONSE = {"id": "resp_1", "object": "response", "model": "m-1", "output": [], "usage": None}
USAGE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
MESSAGE = {
    "type": "message",
    "content": [{"type": "output_text", "text": "hé"}, {"type": "refusal", "refusal": "n"}],
}

QUIET = [
    *({"type": f"response.{kind}", "response": RESPONSE} for kind in ("created", "in_progress", "queued")),
    {"type": "keepalive", "sequence_number": 4},
    {"type": "codex.rate_limits", "rate_limits": {}},
    {"type": "ping"},
    {"type": ""},
    {"type": None},
    {},
]
PROGRESS = [
    ({"type": "response.output_text.delta", "delta": "hé"}, 3),
    ({"type": "response.text.delta", "delta": "hé"}, 3),
    ({"type": "response.refusal.delta", "delta": "no"}, 2),
    ({"type": "response.function_call_arguments.delta", "delta": "{}"}, 2),
    ({"type": "response.function_call.delta", "call_id": "c", "name": "f", "arguments": "{}"}, 2),
    ({"type": "response.custom_tool_call_input.delta", "delta": "ab"}, 2),
    ({"type": "response.mcp_call_arguments.delta", "delta": "ab"}, 2),
    ({"type": "response.code_interpreter_call_code.delta", "delta": "ab"}, 2),
    ({"type": "response.reasoning_text.delta", "delta": "hm"}, 2),
    ({"type": "response.reasoning_summary_text.delta", "delta": "hm"}, 2),
    ({"type": "response.audio.delta", "delta": "AAAA"}, 0),
    ({"type": "response.output_audio.delta", "delta": "AAAA"}, 0),
    ({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning"}}, 0),
    ({"type": "response.content_part.added", "part": {"type": "output_text", "text": ""}}, 0),
    ({"type": "response.reasoning_summary_part.added", "part": {"text": ""}}, 0),
    ({"type": "response.output_text.done", "text": "hé"}, 3),
    ({"type": "response.output_text.annotation.added", "annotation": {}}, 0),
    ({"type": "response.function_call_arguments.done", "arguments": "{}"}, 2),
    ({"type": "response.web_search_call.searching", "item_id": "ws"}, 0),
    ({"type": "response.image_generation_call.partial_image", "partial_image_b64": "AA"}, 0),
    ({"type": "response.shell_call_command.delta", "command_index": 0, "delta": "ls"}, 2),
    ({"type": "response.compaction.compacting"}, 0),
    ({"type": "response.output_item.done", "item": MESSAGE}, 4),
    ({"type": "response.output_item.done", "item": None}, 0),
    ({"type": "response.something_new", "delta": {"a": 1}}, 0),
]
ERROR = {"code": "rate_limit_exceeded", "message": "no"}
FAILURES = [
    {"type": "response.failed", "response": RESPONSE | {"status": "failed", "error": ERROR}},
    {"type": "error", "sequence_number": 3, "param": None, **ERROR},
    {"type": "error", "error": ERROR},
]


def read(*payloads: dict[str, Any]) -> tuple[ResponsesReader, list[Stage]]:
    reader = ResponsesReader()
    return reader, [reader.observe(Event(payload)) for payload in payloads]


def terminal(kind: str = "completed", **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "response": RESPONSE | {"status": kind, "usage": USAGE} | more}


class TestStages:
    @pytest.mark.parametrize("payload", QUIET)
    def test_quiet(self, payload):
        reader, stages = read(payload)

        assert stages == [Stage.QUIET]
        assert not reader.can_end()

    @pytest.mark.parametrize(("payload", "size"), PROGRESS)
    def test_progress(self, payload, size):
        reader, stages = read(payload)

        assert stages == [Stage.PROGRESS]
        assert reader.output_bytes == size

    def test_empty_delta(self):
        assert read({"type": "response.output_text.delta", "delta": ""})[1] == [Stage.QUIET]

    @pytest.mark.parametrize("kind", ["completed", "incomplete"])
    def test_terminal(self, kind):
        reader, stages = read(terminal(kind))

        assert stages == [Stage.TERMINAL]
        assert reader.can_end()
        assert reader.finish == kind
        assert reader.usage == Usage(3, 4, 7)
        assert reader.error is None

    def test_sentinel_is_not_an_end(self):
        """`[DONE]` does not belong here; the terminal event alone ends a response."""
        reader = ResponsesReader()

        assert reader.observe(DONE) is Stage.QUIET
        assert not reader.can_end()

    @pytest.mark.parametrize("response", [None, 5, {}, {"usage": 5, "output": 7, "id": 3}])
    def test_terminal_without_usage(self, response):
        reader, stages = read({"type": "response.completed", "response": response})

        assert stages == [Stage.TERMINAL]
        assert reader.usage is None

    def test_first_terminal_stands(self):
        reader, stages = read(terminal("incomplete"), terminal(), FAILURES[0], PROGRESS[0][0])

        assert stages == [Stage.TERMINAL] * 4
        assert (reader.finish, reader.error, reader.output_bytes) == ("incomplete", None, 0)


class TestFailures:
    @pytest.mark.parametrize("payload", FAILURES)
    def test_failure_is_the_end(self, payload):
        reader, stages = read(payload)

        assert stages == [Stage.TERMINAL]
        assert reader.finish == "failed"
        assert reader.error is not None
        assert (reader.error.message, reader.error.status) == ("no", 429)

    def test_a_failure_may_have_cost(self):
        reader, _ = read(terminal("failed", error=ERROR))

        assert reader.usage == Usage(3, 4, 7)


class TestOutputBytes:
    def test_snapshots_do_not_double(self):
        reader, _ = read(
            {"type": "response.output_text.delta", "delta": "hé"},
            {"type": "response.refusal.delta", "delta": "n"},
            {"type": "response.output_text.done", "text": "hé"},
            {"type": "response.output_item.done", "item": MESSAGE},
            terminal(output=[MESSAGE]),
        )

        assert reader.output_bytes == 4

    @pytest.mark.parametrize(
        "kind",
        ["mcp_call_arguments", "code_interpreter_call_code", "custom_tool_call_input", "something_new"],
    )
    def test_deltas_of_every_type(self, kind):
        assert (
            read({"type": f"response.{kind}.delta", "delta": "abc", "output_index": 0})[0].output_bytes == 3
        )

    def test_one_item_streams_and_another_does_not(self):
        """A snapshot counts only if its item had no deltas; an item repeats its parts."""
        call = {"type": "function_call", "arguments": "12345"}
        reader, _ = read(
            {"type": "response.output_text.delta", "delta": "hé", "output_index": 0},
            {"type": "response.output_item.done", "item": MESSAGE, "output_index": 0},
            {"type": "response.function_call_arguments.done", "arguments": "12345", "output_index": 1},
            {"type": "response.output_item.done", "item": call, "output_index": 1},
        )

        assert (reader.output_bytes, reader.has_calls) == (3 + 5, True)

    @pytest.mark.parametrize(
        ("item", "size"),
        [
            (MESSAGE, 4),
            ({"type": "function_call", "arguments": "{}"}, 2),
            ({"type": "custom_tool_call", "input": "abc"}, 3),
            ({"type": "reasoning", "summary": [{"text": "hm"}], "content": [{"text": "hmm"}]}, 5),
            ({"type": "reasoning", "summary": None, "content": ["x"], "encrypted_content": "zzz"}, 0),
        ],
    )
    def test_snapshots_serve_without_deltas(self, item, size):
        assert read({"type": "response.output_item.done", "item": item})[0].output_bytes == size
        assert read(terminal(output=[item]))[0].output_bytes == size


class TestIdentity:
    def test_from_any_event_that_has_it(self):
        reader, _ = read({"type": "response.created", "response": {"id": "resp_1"}}, terminal())

        assert (reader.response_id, reader.model) == ("resp_1", "m-1")

    def test_never_reported(self):
        reader, _ = read(PROGRESS[0][0])

        assert (reader.response_id, reader.model) == (None, None)


ANNOUNCEMENTS = [  # of later content: they show activity, and nothing visible
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning"}},
    {"type": "response.output_item.added", "item": {"type": "message", "content": []}},
    {"type": "response.content_part.added", "part": {"type": "output_text", "text": ""}},
    {"type": "response.content_part.added", "part": {"type": "refusal", "refusal": ""}},
    {"type": "response.reasoning_summary_part.added", "part": {"type": "summary_text", "text": ""}},
]


class TestServiceTier:
    def test_the_last_word(self) -> None:
        """The first event has the requested tier, the last event the billed one."""
        reader, _ = read(
            {"type": "response.created", "response": {"id": "resp_1", "service_tier": "auto"}},
            {"type": "response.completed", "response": {"id": "resp_1", "service_tier": "priority"}},
        )

        assert reader.service_tier == "priority"


class TestIsOpening:
    @pytest.mark.parametrize("payload", QUIET)
    def test_nothing_to_see(self, payload):
        assert is_opening(payload)

    @pytest.mark.parametrize("payload", ANNOUNCEMENTS)
    def test_nothing_to_see_yet(self, payload):
        assert is_opening(payload)

    @pytest.mark.parametrize(
        "payload",
        [
            *(payload for payload, _ in PROGRESS if payload not in ANNOUNCEMENTS),
            *FAILURES,
            terminal(),
            {"type": "response.output_item.added", "item": {"type": "function_call", "name": "f"}},
            {"type": "response.output_item.added", "item": {"type": "message", "content": [{"text": "x"}]}},
            {"type": "response.content_part.added", "part": {"type": "refusal", "refusal": "x"}},
            {"type": "response.output_item.added"},
        ],
    )
    def test_something_to_see(self, payload):
        assert not is_opening(payload)


def test_former_names():
    assert event_type({"type": "response.text.delta"}) == "response.output_text.delta"
    assert event_type({"type": "response.audio_transcript.delta"}) == "response.output_audio_transcript.delta"
    assert event_type({"type": "x"}) == "x"
    assert event_type({}) == ""


@pytest.mark.parametrize(
    ("delta", "text"),
    [(5, "5"), (0, "0"), (None, ""), (True, ""), (0.5, ""), ([], "[]"), ({"a": 1}, '{"a":1}')],
)
@pytest.mark.parametrize("name", ["output_text", "refusal", "function_call_arguments", "reasoning_text"])
def test_deltas_that_are_not_text(name: str, delta: Any, text: str) -> None:
    """An object or a list is text only as the arguments of a call."""
    reader, event = ResponsesReader(), Event({"type": f"response.{name}.delta", "delta": delta}, b"{}")
    if isinstance(delta, dict | list) and name != "function_call_arguments":
        text = ""

    assert reader.observe(event) is (Stage.PROGRESS if text else Stage.QUIET)
    assert (event.payload["delta"], event.data, reader.output_bytes) == (text, None, len(text))
