"""`previous_response_id` over WebSocket: the connection has the conversation, whichever account serves it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.upstream_client import ScriptedUpstream
from tests.support.websocket import SocketClient, socket_of, text_in

CALL = {"play": "tool_call", "calls": [{"name": "get_weather", "arguments": '{"city":"Rome"}'}]}


@pytest.fixture(scope="module")
def sockets(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home: Path = tmp_path_factory.mktemp("sockets")
    with running_gateway(redis_url, home, workers=1) as running:
        yield running


@pytest.fixture
def pool(sockets: Gateway) -> PoolOfTest:
    return sockets.pool()


@pytest.fixture
def client(pool: PoolOfTest) -> Iterator[SocketClient]:
    with socket_of(pool, pool.key()) as client:
        yield client


def id_of(events: list[dict[str, Any]]) -> str:
    assert events[-1]["type"] == "response.completed", events
    response_id: str = events[-1]["response"]["id"]
    return response_id


def texts(body: dict[str, Any] | None) -> list[Any]:
    """Return the texts of what an upstream received, in either protocol."""
    assert body is not None
    found = []
    for item in body.get("input") or body["messages"]:
        content = item.get("content")
        parts = content if isinstance(content, list) else [content]
        found += [part["text"] if isinstance(part, dict) else part for part in parts if part]
    return found


@pytest.mark.parametrize("wire", ["responses", "chat"])
class TestConversations:
    def test_only_new_items_are_sent(
        self, pool: PoolOfTest, client: SocketClient, upstream: ScriptedUpstream, wire: str
    ) -> None:
        """The upstream receives the complete conversation, also in the third turn."""
        pool.account("a", upstream.base_url(), kind="compatible", protocols=(wire,))
        upstream.script(*({"play": "text", "text": f"answer {n}"} for n in range(3)))

        first = id_of(client.respond("question 0"))
        second = id_of(client.respond("question 1", previous_response_id=first))
        client.respond(
            [{"role": "user", "content": "question 2"}], previous_response_id=second, instructions="Be brief"
        )

        *_, seen = upstream.wait_for(3)
        expected = ["question 0", "answer 0", "question 1", "answer 1", "question 2"]
        assert texts(seen.body)[-5:] == expected

    def test_the_output_of_a_tool(
        self, pool: PoolOfTest, client: SocketClient, upstream: ScriptedUpstream, wire: str
    ) -> None:
        pool.account("a", upstream.base_url(), kind="compatible", protocols=(wire,))
        upstream.script(CALL, {"play": "text", "text": "Sunny."})
        tools = [{"type": "function", "name": "get_weather", "parameters": {"type": "object"}}]

        events = client.respond("The weather?", tools=tools)
        (call,) = [event["item"] for event in events if event["type"] == "response.output_item.done"]
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
        answer = client.respond([output], previous_response_id=id_of(events), tools=tools)

        assert text_in(answer) == "Sunny."
        *_, seen = upstream.wait_for(2)
        assert seen.body is not None
        sent = str(seen.body.get("input") or seen.body["messages"])
        assert "The weather?" in sent
        assert sent.count(call["call_id"]) == 2

    def test_another_account_continues(
        self, pool: PoolOfTest, client: SocketClient, upstream: ScriptedUpstream, wire: str
    ) -> None:
        pool.account("a", upstream.base_url("a"), kind="compatible", protocols=(wire,))
        upstream.script({"play": "text", "text": "the answer"})
        first = id_of(client.respond("the question"))
        pool.gateway.services.accounts.pause(pool.name, "a")
        pool.account("b", upstream.base_url("b"), kind="compatible", protocols=(wire,))

        client.respond("go on", previous_response_id=first)

        (seen,) = upstream.log("b")
        assert texts(seen.body)[-3:] == ["the question", "the answer", "go on"]


class TestWarmUps:
    def test_a_warm_up(self, pool: PoolOfTest, client: SocketClient, upstream: ScriptedUpstream) -> None:
        """It is answered without an upstream and without being billed; its id can be continued."""
        pool.account("a", upstream.base_url())

        events = client.respond([], generate=False)

        assert [event["type"] for event in events] == ["response.created", "response.completed"]
        assert events[0]["response"]["id"] == id_of(events)
        assert events[1]["response"]["usage"]["total_tokens"] == 0
        assert upstream.log() == []
        assert pool.rows() == []
        assert client.respond("Hello", previous_response_id=id_of(events))[-1]["type"] == "response.completed"
        (seen,) = upstream.wait_for(1)
        assert texts(seen.body) == ["Hello"]

    def test_a_warm_up_of_codex(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Its instructions are in the items that follow."""
        pool.account("a", upstream.base_url())
        items = [{"role": "developer", "content": "Be brief"}, {"role": "user", "content": "Hello"}]
        with socket_of(pool, pool.key(), "/backend-api/codex/responses") as client:
            warm_up = id_of(client.respond([], generate=False))
            id_of(client.respond(items, previous_response_id=warm_up))

        (seen,) = upstream.wait_for(1)
        assert texts(seen.body) == ["Be brief", "Hello"]

    def test_an_invalid_warm_up(self, client: SocketClient) -> None:
        (event,) = client.respond([], generate=False, instructions=1)

        assert (event["status"], event["error"]["param"]) == (400, "instructions")

    def test_a_model_that_the_key_may_not_use(self, pool: PoolOfTest) -> None:
        with socket_of(pool, pool.key(models=("n",))) as client:
            (event,) = client.respond([], generate=False)

        assert (event["status"], event["error"]["code"]) == (403, "model_not_allowed")


class TestUnknownIds:
    def test_an_unknown_id(self, pool: PoolOfTest, client: SocketClient, upstream: ScriptedUpstream) -> None:
        """The message is OpenAI's, before any event, and the connection goes on."""
        pool.account("a", upstream.base_url())

        (event,) = client.respond(previous_response_id="resp_abc")

        assert event == {
            "type": "error",
            "status": 400,
            "error": {
                "type": "invalid_request_error",
                "code": "previous_response_not_found",
                "message": "Previous response with id 'resp_abc' not found.",
                "param": "previous_response_id",
            },
        }
        assert client.respond()[-1]["type"] == "response.completed"

    def test_only_the_latest_response(
        self, pool: PoolOfTest, client: SocketClient, upstream: ScriptedUpstream
    ) -> None:
        pool.account("a", upstream.base_url())
        first = id_of(client.respond())
        client.respond()

        (event,) = client.respond(previous_response_id=first)
        assert event["error"]["code"] == "previous_response_not_found"

    def test_a_failed_continuation_evicts_what_it_continued(
        self, pool: PoolOfTest, client: SocketClient, upstream: ScriptedUpstream
    ) -> None:
        pool.account("a", upstream.base_url())
        first = id_of(client.respond())

        assert client.respond(previous_response_id=first, instructions=1)[-1]["status"] == 400
        (event,) = client.respond(previous_response_id=first)
        assert event["error"]["code"] == "previous_response_not_found"

    def test_another_connection(
        self, pool: PoolOfTest, client: SocketClient, upstream: ScriptedUpstream
    ) -> None:
        pool.account("a", upstream.base_url())
        first = id_of(client.respond())

        with socket_of(pool, pool.key("other")) as other:
            (event,) = other.respond(previous_response_id=first)
        assert event["error"]["code"] == "previous_response_not_found"

    def test_by_http(self, pool: PoolOfTest) -> None:
        body = {"model": "m", "input": "Hello", "previous_response_id": "resp_1"}

        assert pool.post("/v1/responses", body, pool.key()).status_code == 400


class TestLanes:
    def test_two_at_a_time(self, pool: PoolOfTest, client: SocketClient, upstream: ScriptedUpstream) -> None:
        """Each event of a named lane has its name; that of the default lane has none."""
        pool.account("a", upstream.base_url())
        upstream.script(
            {"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}},
            {"play": "text", "text": "fast"},
        )
        client.create("slow", stream_id="slow")
        upstream.wait_for(gate="go")

        fast = client.respond("fast")
        upstream.release("go")
        slow = client.until_end("slow")

        assert text_in(fast) == "fast"
        assert not any("stream_id" in event for event in fast)
        assert {event["stream_id"] for event in slow} == {"slow"}
        assert slow[-1]["type"] == "response.completed"

    def test_one_after_another_in_a_lane(
        self, pool: PoolOfTest, client: SocketClient, upstream: ScriptedUpstream
    ) -> None:
        pool.account("a", upstream.base_url())
        upstream.script(*({"play": "text", "text": f"answer {n}"} for n in range(3)))
        for number in range(3):
            client.create(f"question {number}", stream_id="x")

        answers = [text_in(client.until_end("x")) for _ in range(3)]

        assert answers == ["answer 0", "answer 1", "answer 2"]
        assert [texts(seen.body)[-1] for seen in upstream.log()] == [f"question {n}" for n in range(3)]

    def test_a_fork(self, pool: PoolOfTest, client: SocketClient, upstream: ScriptedUpstream) -> None:
        """Another lane continues a response; if that fails, the first lane can still go on."""
        pool.account("a", upstream.base_url())
        first = id_of(client.respond("question", stream_id="x"))

        assert client.respond(previous_response_id=first, stream_id="y", instructions=1)[-1]["status"] == 400
        id_of(client.respond("fork", previous_response_id=first, stream_id="y"))
        id_of(client.respond("go on", previous_response_id=first, stream_id="x"))
        assert texts(upstream.wait_for(3)[-1].body)[0] == "question"

    @pytest.mark.parametrize("name", ["", "a b", "ü", "x" * 257, 1, None])
    def test_invalid_names(self, client: SocketClient, name: Any) -> None:
        client.create(stream_id=name)

        event = client.receive()
        assert (event["status"], event["error"]["code"]) == (400, "invalid_stream_id")
        assert event["error"]["param"] == "stream_id"

    def test_the_number_of_names(self, client: SocketClient) -> None:
        for number in range(32):
            assert (
                client.respond([], generate=False, stream_id=str(number))[-1]["type"] == "response.completed"
            )

        (event,) = client.respond([], generate=False, stream_id="more")
        assert (event["stream_id"], event["error"]["code"]) == ("more", "websocket_stream_limit_reached")
        assert client.respond([], generate=False)[-1]["type"] == "response.completed"

    def test_sixteen_run_and_others_wait(
        self, pool: PoolOfTest, client: SocketClient, upstream: ScriptedUpstream
    ) -> None:
        pool.account("a", upstream.base_url())
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}})
        for number in range(18):
            client.create(stream_id=str(number))
        upstream.wait_for(16, gate="go")
        upstream.script({"play": "text"})
        upstream.release("go")

        ended = set()
        while len(ended) < 18:
            event = client.receive()
            if event["type"] == "response.completed":
                ended.add(event["stream_id"])
        assert ended == {str(number) for number in range(18)}

    def test_a_cancelled_lane(
        self, pool: PoolOfTest, client: SocketClient, upstream: ScriptedUpstream
    ) -> None:
        pool.account("a", upstream.base_url())
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}})
        client.create(stream_id="x")
        client.create(stream_id="y")
        upstream.wait_for(2, gate="go")

        client.send({"type": "response.cancel", "stream_id": "x"})
        assert client.until_end("x")[-1]["error"]["code"] == "response_cancelled"
        upstream.release("go")
        assert client.until_end("y")[-1]["type"] == "response.completed"
