from __future__ import annotations

from typing import Any

import pytest

from app.streaming.chat_protocol import ChatReader, is_opening
from app.streaming.events import DONE, Event
from app.streaming.progress import Stage
from app.streaming.usage import Usage

USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def chunk(delta: Any = None, finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "model": "m-1",
        "choices": [choice],
        **more,
    }


def usage_chunk() -> dict[str, Any]:
    return {"id": "chatcmpl-1", "choices": [], "usage": USAGE}


def read(*payloads: dict[str, Any]) -> tuple[ChatReader, list[Stage]]:
    reader = ChatReader()
    return reader, [reader.observe(Event(payload)) for payload in payloads]


VISIBLE = [
    ({"content": "hé"}, 3),
    ({"refusal": "no"}, 2),
    ({"reasoning_content": "hm"}, 2),
    ({"reasoning": "hm"}, 2),
    ({"reasoning_details": [{"text": "hm"}]}, 2),
    ({"reasoning": "hm", "reasoning_content": "hm", "reasoning_details": [{"summary": "hm"}]}, 2),
    ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "AAAA"}]}, 0),
    ({"content": [{"type": "text", "text": "hm"}]}, 2),
    ({"content": "a", "reasoning": "b", "custom": "c"}, 2),
    ({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]}, 0),
    ({"tool_calls": [{"index": 0, "function": {"arguments": '{"a'}}]}, 3),
    (
        {
            "tool_calls": [
                {"index": 0, "custom": {"input": "ab"}},
                {"index": 1, "function": {"arguments": "c"}},
            ]
        },
        3,
    ),
    ({"function_call": {"name": "f", "arguments": "{}"}}, 2),
    ({"audio": {"data": "AAAA"}}, 0),
    ({"annotations": [{"type": "url_citation"}]}, 0),
    ({"something_new": "x"}, 0),
]
INVISIBLE = [
    {},
    {"role": "assistant"},
    {"role": "assistant", "content": ""},
    {"content": None, "tool_calls": None, "refusal": None},
    {"tool_calls": []},
]
ERRORS = [
    {"error": {"message": "no", "code": "rate_limit_exceeded"}},
    {"error": "no"},
    {"type": "error", "message": "no"},
    {"object": "error", "message": "no", "code": 400},
    chunk({"content": ""}, "error", error={"message": "no"}),
]


class TestStages:
    @pytest.mark.parametrize(("delta", "size"), VISIBLE)
    def test_progress(self, delta, size):
        reader, stages = read(chunk(delta))

        assert stages == [Stage.PROGRESS]
        assert reader.output_bytes == size

    @pytest.mark.parametrize("delta", INVISIBLE)
    def test_quiet(self, delta):
        assert read(chunk(delta))[1] == [Stage.QUIET]

    def test_finish_alone_is_not_the_end(self):
        """Usage may follow; a response without it could not be billed exactly."""
        reader, stages = read(chunk({"content": "a"}), chunk(finish="stop"))

        assert stages == [Stage.PROGRESS, Stage.QUIET]
        assert reader.can_end()

    def test_done(self):
        reader = ChatReader()

        assert reader.observe(DONE) is Stage.TERMINAL
        assert reader.can_end()
        assert reader.finish is None

    def test_usage_after_finish_is_the_end(self):
        reader, stages = read(chunk({"content": "a"}), chunk(finish="length"), usage_chunk())

        assert stages[-1] is Stage.TERMINAL
        assert reader.finish == "length"
        assert reader.usage == Usage(3, 4, 7)

    def test_usage_in_the_finish_chunk(self):
        """Some servers send usage there; then the sentinel, or the end of the stream, ends the response."""
        reader, stages = read(chunk(finish="stop", usage=USAGE))

        assert stages == [Stage.QUIET]
        assert reader.can_end()
        assert reader.usage == Usage(3, 4, 7)

    def test_usage_in_every_chunk(self):
        """The last count stands, and does not end anything."""
        more = USAGE | {"completion_tokens": 9, "total_tokens": 12}
        reader, stages = read(chunk({"content": "a"}, usage=USAGE), chunk({"content": "b"}, usage=more))

        assert stages == [Stage.PROGRESS] * 2
        assert reader.usage == Usage(3, 9, 12)

    def test_usage_before_finish_is_not_the_end(self):
        reader, stages = read(usage_chunk(), chunk({"content": "a"}), usage_chunk())

        assert Stage.TERMINAL not in stages
        assert not reader.can_end()

    def test_usage_null_or_missing(self):
        reader, _ = read(chunk({"content": "a"}, usage=None), chunk(finish="stop", usage=None))

        assert reader.usage is None

    def test_nothing_after_the_end_counts(self):
        reader, stages = read(chunk(finish="stop"), usage_chunk(), chunk({"content": "late"}), ERRORS[0])

        assert stages[1:] == [Stage.TERMINAL] * 3
        assert reader.output_bytes == 0
        assert reader.error is None

    @pytest.mark.parametrize(
        "payload", [{}, {"choices": None}, {"choices": "x"}, {"choices": [None, 5, {}, {"delta": 3}]}]
    )
    def test_odd_chunks(self, payload):
        assert read(payload)[1] == [Stage.QUIET]

    def test_odd_values(self):
        delta = {"content": ["a"], "tool_calls": [None, {"function": 5}], "function_call": "x"}

        assert read(chunk(delta, index="x"))[1] == [Stage.PROGRESS]  # type: ignore[arg-type]


class TestUsageThatIsReset:
    @pytest.mark.parametrize(
        ("reports", "expected"), [([(3, 2), (0, 0)], (3, 2)), ([(0, 0)], (0, 0)), ([(0, 0), (3, 2)], (3, 2))]
    )
    def test_zeros_replace_no_count(self, reports, expected):
        reader = ChatReader()
        for prompt, completion in reports:
            usage = {"prompt_tokens": prompt, "completion_tokens": completion}
            reader.observe(Event({**chunk({"content": "a"}), "usage": usage}))

        assert (reader.usage.input_tokens, reader.usage.output_tokens) == expected


class TestErrors:
    @pytest.mark.parametrize("payload", ERRORS)
    def test_error_is_the_end(self, payload):
        reader, stages = read(chunk({"content": "a"}), payload)

        assert stages[-1] is Stage.TERMINAL
        assert reader.error is not None
        assert reader.error.message == "no"

    def test_first_error_stands(self):
        reader, _ = read({"error": "first"}, {"error": "second"})

        assert reader.error is not None
        assert reader.error.message == "first"

    def test_null_is_no_error(self):
        assert read(chunk({"content": "a"}, error=None))[1] == [Stage.PROGRESS]


class TestChoices:
    def test_all_must_finish(self):
        reader, _ = read(
            chunk({"content": "a"}), chunk({"content": "b"}, index=1), chunk(finish="stop", index=1)
        )
        assert not reader.can_end()

        assert reader.observe(Event(usage_chunk())) is Stage.QUIET
        reader.observe(Event(chunk(finish="length")))

        assert reader.can_end()
        assert reader.finish == "length"

    def test_a_requested_choice_that_never_came(self):
        """Some servers send one choice after the other, so a stream that ends between two choices was cut."""
        reader = ChatReader(choices=2)
        reader.observe(Event(chunk(finish="stop")))
        assert not reader.can_end()

        reader.observe(Event(chunk(finish="stop", index=1)))
        assert reader.can_end()

    def test_a_late_chunk_does_not_reopen_a_choice(self):
        """Azure sends content filter results after the finish."""
        reader, _ = read(chunk(finish="stop"), chunk())

        assert reader.can_end()

    def test_several_in_one_chunk(self):
        payload = {"choices": [{"index": i, "delta": {"content": "é"}} for i in range(3)]}

        assert read(payload)[0].output_bytes == 6


class TestIdentity:
    def test_from_the_first_chunk_that_has_it(self):
        reader, _ = read({"id": "", "model": "", "choices": []}, chunk(), chunk() | {"id": "other"})

        assert (reader.response_id, reader.model) == ("chatcmpl-1", "m-1")

    def test_never_reported(self):
        reader, _ = read({"choices": []})

        assert (reader.response_id, reader.model, reader.finish) == (None, None, None)


class TestServiceTier:
    def test_reported_late(self) -> None:
        """The tier that a response was served in may come only with the usage."""
        requested, _ = read(chunk({"content": "x"}, service_tier="auto"))
        served, _ = read(
            chunk({"content": "x"}, service_tier="auto"), {**usage_chunk(), "service_tier": "default"}
        )

        assert (requested.service_tier, served.service_tier) == ("auto", "default")


class TestIsOpening:
    @pytest.mark.parametrize("delta", INVISIBLE)
    def test_nothing_to_see(self, delta):
        assert is_opening(chunk(delta))

    def test_prompt_filter_results(self):
        assert is_opening({"choices": [], "prompt_filter_results": []})

    @pytest.mark.parametrize(
        "payload",
        [
            *(chunk(delta) for delta, _ in VISIBLE),
            *ERRORS,
            chunk(finish="stop"),
            usage_chunk(),
            {"choices": 1},
        ],
    )
    def test_something_to_see(self, payload):
        assert not is_opening(payload)


class TestReported:
    """A usage is that of the whole response only at or after its end."""

    USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}

    def test_with_every_chunk(self):
        reader, _ = read(chunk({"content": "a"}, usage=self.USAGE))

        assert (reader.reported_usage, reader.usage) == (None, Usage(3, 4, 7))

    @pytest.mark.parametrize(
        "end",
        [
            [chunk({}, "stop", usage=USAGE)],
            [chunk({}, "stop"), {"choices": [], "usage": USAGE}],
            [chunk({}, "stop"), chunk({}, usage=USAGE)],
        ],
    )
    def test_at_the_end(self, end):
        assert read(chunk({"content": "a"}), *end)[0].reported_usage == Usage(3, 4, 7)

    def test_sentinel_after_the_newest(self):
        reader, _ = read(chunk({"content": "a"}, usage=self.USAGE), chunk({}, "stop"))
        assert reader.reported_usage is None

        reader.observe(DONE)
        assert reader.reported_usage == Usage(3, 4, 7)

    def test_failure(self):
        """Usage that comes with an error covers all that was billed; earlier usage does not."""
        before = chunk({"content": "a"}, usage=self.USAGE)

        assert read(before, {"error": {"message": "no"}})[0].reported_usage is None
        assert read({"error": {"message": "no"}, "usage": self.USAGE})[0].reported_usage == Usage(3, 4, 7)
