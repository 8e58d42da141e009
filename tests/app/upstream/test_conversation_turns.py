"""Which requests continue the latest response, and which part of their input is then sent."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.upstream.conversation_turns import (
    Input,
    LatestResponse,
    Turn,
    continuing_message_of,
    message_of,
)

QUESTION = {"role": "user", "content": "hi"}
ANSWER = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "hello", "annotations": [], "logprobs": []}],
}
MORE = {"role": "user", "content": "go on"}
FIELDS = {"model": "m", "stream": True, "tools": [{"type": "function", "name": "f"}], "store": False}


def turn(*items: Any, **fields: Any) -> Turn:
    return Turn("c", FIELDS | {"input": list(items)} | fields)


def latest(*output: Any, **fields: Any) -> LatestResponse:
    """Return what is remembered after QUESTION was answered by *output*."""
    after = Input(turn(QUESTION, **fields), None).latest_after("resp_1", output)
    assert after is not None
    return after


@pytest.mark.parametrize(
    "returned",
    [
        ANSWER,
        {"role": "assistant", "content": [{"type": "output_text", "text": "hello"}]},
        {**ANSWER, "id": None, "status": None, "phase": None},
    ],
    ids=["as it was", "without what means nothing", "with nulls"],
)
def test_what_continues(returned: Any) -> None:
    assert Input(turn(QUESTION, returned, MORE), latest(ANSWER)).new_items == [MORE]


@pytest.mark.parametrize(
    "other",
    [
        turn(QUESTION, ANSWER),
        turn(QUESTION, MORE),
        turn(ANSWER, QUESTION, MORE),
        turn(QUESTION, {**ANSWER, "content": [{"type": "output_text", "text": "other"}]}, MORE),
        turn(QUESTION, {**ANSWER, "role": "user"}, MORE),
        turn(QUESTION, ANSWER, MORE, model="n"),
        turn(QUESTION, ANSWER, MORE, tools=[]),
        turn(QUESTION, ANSWER, MORE, instructions="Be brief."),
        Turn("c", FIELDS | {"input": "a text"}),
        Turn("c", dict(FIELDS)),
    ],
)
def test_what_does_not(other: Turn) -> None:
    assert Input(other, latest(ANSWER)).new_items is None


def test_references_differ_by_their_ids() -> None:
    references = [{"type": "item_reference", "id": name} for name in ("a", "b")]

    assert Input(turn(QUESTION, references[1], MORE), latest(references[0])).new_items is None


def test_metadata_may_differ() -> None:
    other = turn(QUESTION, ANSWER, MORE, client_metadata={"turn_id": "t2"})

    assert Input(other, latest(ANSWER, client_metadata={"turn_id": "t1"})).new_items == [MORE]


def test_what_has_no_json() -> None:
    """The next request is sent in full; a response that an upstream fills with such does no harm."""
    large = {**ANSWER, "number": 2**70}

    assert Input(turn(QUESTION, large, MORE), latest(large)).new_items is None


def test_a_chain_of_turns() -> None:
    """What is remembered after a continuation is the same as after all of it at once."""
    everything = (QUESTION, ANSWER, MORE)
    chained = Input(turn(*everything), latest(ANSWER)).latest_after("resp_2", [ANSWER])

    assert chained == Input(turn(*everything), None).latest_after("resp_2", [ANSWER])


def test_an_input_that_is_a_text_is_not_continued() -> None:
    assert Input(Turn("c", FIELDS | {"input": "hi"}), None).latest_after("resp_1", [ANSWER]) is None


class TestMessage:
    def test_in_full(self) -> None:
        sent = orjson.loads(b"".join(message_of(turn(QUESTION, background=False), {})))

        fields = {"model": "m", "tools": FIELDS["tools"], "store": False}
        assert sent == {"type": "response.create", "input": [QUESTION], **fields}

    def test_continuing(self) -> None:
        pieces = continuing_message_of(turn(QUESTION, ANSWER, MORE), {}, "resp_1", [MORE])
        sent = orjson.loads(b"".join(pieces))

        assert (sent["previous_response_id"], sent["input"]) == ("resp_1", [MORE])
        assert sent["tools"] == FIELDS["tools"]

    def test_headers_of_the_client(self) -> None:
        """Headers that differ by request become metadata; those that the body already has stay."""
        headers = {
            "X-Codex-Turn-State": "T",
            "x-codex-window-id": "w",
            "x-openai-internal-codex-responses-lite": "true",
            "session-id": "s",
        }
        own = turn(QUESTION, client_metadata={"x-codex-window-id": "own"})
        sent = orjson.loads(b"".join(message_of(own, headers)))

        assert sent["client_metadata"] == {
            "x-codex-turn-state": "T",
            "x-codex-window-id": "own",
            "ws_request_header_x_openai_internal_codex_responses_lite": "true",
        }
