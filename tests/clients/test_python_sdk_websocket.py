"""The WebSocket client of the official `openai` package for Python, pointed at the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from openai.resources.responses.responses import ResponsesConnection
from websockets.exceptions import InvalidStatus

from tests.clients.test_python_sdk import MODEL, RESPONSES_TOOLS, connect
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.upstream_client import ScriptedUpstream

# the SDK connects in the older of two ways
pytestmark = pytest.mark.filterwarnings("ignore:connect\\(\\) must be used:DeprecationWarning")

TERMINAL = ("response.completed", "response.incomplete", "response.failed", "error")
HELLO = 'This is poolgate-demo, a simulated model. You wrote: "Hello"'
FINAL_TEXT = 'poolgate-demo called a function, which returned: "18 degrees"'


@pytest.fixture(scope="module")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home: Path = tmp_path_factory.mktemp("home")
    with running_gateway(
        redis_url, home, workers=1, POOLGATE_WEBSOCKET="on", POOLGATE_DEMO_KEY="demo-key"
    ) as running:
        yield running


@pytest.fixture
def client(served: PoolOfTest) -> Iterator[OpenAI]:
    with connect(served, served.key()) as client:
        yield client


@pytest.fixture
def connection(client: OpenAI) -> Iterator[ResponsesConnection]:
    with client.responses.connect() as connection:
        yield connection


def respond(connection: ResponsesConnection, **fields: Any) -> list[Any]:
    """Send a `response.create`, and return its events."""
    connection.response.create(**{"model": MODEL, "input": "Hello", **fields})
    return until_end(connection)


def until_end(connection: ResponsesConnection) -> list[Any]:
    events: list[Any] = []
    while not events or events[-1].type not in TERMINAL:
        events.append(connection.recv())
    return events


def text(events: list[Any]) -> str:
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


class TestResponses:
    def test_text(self, connection: ResponsesConnection) -> None:
        for _ in range(2):
            events = respond(connection)

            assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
            assert text(events) == HELLO == events[-1].response.output_text
            assert [event.sequence_number for event in events] == list(range(len(events)))

    def test_a_tool(self, connection: ResponsesConnection) -> None:
        """Its result alone is sent: the conversation is that of the previous response."""
        called = respond(connection, tools=RESPONSES_TOOLS)[-1].response
        (call,) = [item for item in called.output if item.type == "function_call"]
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"}

        events = respond(
            connection, tools=RESPONSES_TOOLS, input=[result], previous_response_id=called.id, store=False
        )

        assert text(events) == FINAL_TEXT

    def test_an_error(self, connection: ResponsesConnection) -> None:
        """It is an event with a status; the connection goes on."""
        (error,) = respond(connection, tools="none")

        assert (error.type, error.status, error.error.type) == ("error", 400, "invalid_request_error")
        assert text(respond(connection)) == HELLO

    def test_an_unknown_previous_response(self, connection: ResponsesConnection) -> None:
        (error,) = respond(connection, previous_response_id="resp_other")

        assert (error.status, error.error.code) == (400, "previous_response_not_found")
        assert error.error.param == "previous_response_id"

    def test_a_continuation_that_failed(self, connection: ResponsesConnection) -> None:
        """Its previous response is gone, as at OpenAI."""
        first = respond(connection)[-1].response
        assert respond(connection, previous_response_id=first.id, tools="none")[0].status == 400

        (error,) = respond(connection, previous_response_id=first.id)

        assert error.error.code == "previous_response_not_found"

    def test_another_connection(self, client: OpenAI, connection: ResponsesConnection) -> None:
        first = respond(connection)[-1].response

        with client.responses.connect() as other:
            (error,) = respond(other, previous_response_id=first.id)

        assert error.error.code == "previous_response_not_found"

    def test_two_lanes(self, connection: ResponsesConnection) -> None:
        """Each event names its lane; one lane continues the response of the other."""
        for lane in ("one", "two"):
            connection.response.create(model=MODEL, input="Hello", stream_id=lane)
        by_lane: dict[str, list[Any]] = {"one": [], "two": []}
        while not all(events and events[-1].type in TERMINAL for events in by_lane.values()):
            event = connection.recv()
            by_lane[event.stream_id].append(event)

        assert {lane: text(events) for lane, events in by_lane.items()} == {"one": HELLO, "two": HELLO}
        first = by_lane["one"][-1].response
        forked = respond(connection, previous_response_id=first.id, stream_id="fork", input="Hello")
        assert (text(forked), {event.stream_id for event in forked}) == (HELLO, {"fork"})


class TestEnds:
    @pytest.fixture
    def waiting(
        self, gateway: Gateway, upstream: ScriptedUpstream
    ) -> Iterator[tuple[PoolOfTest, ResponsesConnection]]:
        """A connection whose response has begun."""
        pool = gateway.pool()
        pool.account("a", upstream.base_url())
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"stall": True}]}})
        with connect(pool, pool.key()) as client, client.responses.connect() as connection:
            connection.response.create(model=MODEL, input="Hello")
            while connection.recv().type != "response.output_text.delta":
                pass
            yield pool, connection

    def test_cancelled(
        self, waiting: tuple[PoolOfTest, ResponsesConnection], upstream: ScriptedUpstream
    ) -> None:
        pool, connection = waiting
        connection.send_raw('{"type":"response.cancel"}')

        assert until_end(connection)[-1].type in ("error", "response.incomplete", "response.failed")
        upstream.wait_for(1, end="client_closed", timeout_seconds=5)
        assert len(pool.wait_for_rows(1)) == 1

    def test_left(self, waiting: tuple[PoolOfTest, ResponsesConnection], upstream: ScriptedUpstream) -> None:
        pool, connection = waiting
        connection.close()

        upstream.wait_for(1, end="client_closed", timeout_seconds=5)
        (row,) = pool.wait_for_rows(1)
        assert row["error"] == "client_gone"
        assert pool.open_leases() == 0


def test_a_wrong_key(served: PoolOfTest) -> None:
    with (
        connect(served, "sk-pg-wrong") as client,
        pytest.raises(InvalidStatus) as refused,
        client.responses.connect(),
    ):
        pass

    assert refused.value.response.status_code == 401
