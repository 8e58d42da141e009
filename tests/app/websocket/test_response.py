"""One response as messages: nothing after its end, errors with a status, and what can be continued."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.errors import StreamIncomplete
from app.streaming.events import DONE, Event
from app.websocket.response import SocketResponse
from tests.support.relay import make_request

CREATED = {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1"}}
ENDED = {"type": "response.completed", "sequence_number": 7, "response": {"id": "resp_1", "output": []}}


class Connection:
    """Messages that were encoded."""

    def __init__(self, lane: str = "") -> None:
        self.messages: list[dict[str, Any]] = []
        self.continued: list[tuple[str, tuple[bytes, ...]]] = []
        self.response = SocketResponse(self.encode, self.keep, lane)

    def encode(self, text: bytes) -> bytes:
        self.messages.append(orjson.loads(text))
        return text

    def keep(self, response: SocketResponse) -> None:
        self.continued.append((response.response_id, response.output()))

    def send(self, *payloads: dict[str, Any]) -> None:
        self.response.frames([Event(payload) for payload in payloads])


def item(index: int, **fields: Any) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": index, "item": {"id": f"i{index}", **fields}}


def test_nothing_follows_the_end() -> None:
    connection = Connection("x")
    connection.send(CREATED, ENDED, {"type": "error", "message": "late"})
    connection.send(ENDED)
    connection.response.frames([DONE])

    assert [message["type"] for message in connection.messages] == ["response.created", "response.completed"]
    assert all(message["stream_id"] == "x" for message in connection.messages)
    assert connection.response.error(StreamIncomplete("late"), make_request()) == b""


@pytest.mark.parametrize("lane", ["", "x"])
def test_the_lane_of_an_upstream_is_not_that_of_the_client(lane: str) -> None:
    connection = Connection(lane)
    connection.send({**CREATED, "stream_id": "other"}, ENDED)

    assert [message.get("stream_id", "") for message in connection.messages] == [lane, lane]
    assert connection.messages[0]["response"] == CREATED["response"]


def test_items_in_their_order() -> None:
    connection = Connection()
    connection.send(CREATED, item(1, type="message"), item(0, type="function_call"), ENDED)

    assert connection.continued == [
        ("resp_1", (b'{"id":"i0","type":"function_call"}', b'{"id":"i1","type":"message"}'))
    ]


def test_items_of_the_final_response_only() -> None:
    connection = Connection()
    connection.send({**ENDED, "response": {"id": "resp_1", "output": [{"type": "message"}]}})

    assert connection.continued == [("resp_1", (b'{"type":"message"}',))]


def test_reasoning_that_only_its_server_could_look_up() -> None:
    """It is left out, and with it the ids of the items that belong to it."""
    connection = Connection()
    connection.send(CREATED, item(0, type="reasoning", summary=[]), item(1, type="message"), ENDED)
    readable = Connection()
    readable.send(CREATED, item(0, type="reasoning", encrypted_content="e"), item(1, type="message"), ENDED)

    assert connection.continued == [("resp_1", (b'{"type":"message"}',))]
    assert [orjson.loads(each)["id"] for each in readable.continued[0][1]] == ["i0", "i1"]


@pytest.mark.parametrize(
    "payload", [{"code": "rate_limit_exceeded"}, {"error": {"code": "server_error"}}, {}]
)
def test_an_error_event_has_a_status(payload: dict[str, Any]) -> None:
    connection = Connection()
    connection.send({"type": "error", "message": "broken", **payload})

    (message,) = connection.messages
    assert (message["type"], type(message["status"]), type(message["error"])) == ("error", int, dict)
    assert connection.continued == []


def test_a_failure_before_the_first_event() -> None:
    connection = Connection("x")
    connection.response.error(StreamIncomplete("broken"), make_request())

    (message,) = connection.messages
    assert (message["type"], message["status"], message["stream_id"]) == ("error", 502, "x")


def test_a_failure_after_it() -> None:
    connection = Connection()
    connection.send(CREATED)
    connection.response.error(StreamIncomplete("broken"), make_request())

    message = connection.messages[-1]
    assert (message["type"], message["sequence_number"]) == ("response.failed", 1)
    assert message["response"]["id"] == "resp_1"


def test_keepalives() -> None:
    """An event only once there is a response; before it a ping does."""
    connection = Connection()
    assert connection.response.keepalive() == b""
    connection.send(CREATED)
    connection.response.keepalive()

    assert connection.messages[-1] == {"type": "keepalive", "sequence_number": 0}


def test_cancelling() -> None:
    gone: list[str] = []
    response = Connection().response
    response.cancel()
    response.watch(lambda: gone.append("before"))
    watched = Connection().response
    watched.watch(lambda: gone.append("after"))
    watched.cancel()
    stopped = Connection().response
    stopped.watch(lambda: gone.append("never")).stop()
    stopped.cancel()

    assert gone == ["before", "after"]
