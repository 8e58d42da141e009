"""The scripted upstream follows its script, and reports what it saw."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openai import APIConnectionError, APIError, BadRequestError, InternalServerError, OpenAI, RateLimitError

from tests.support.upstream_client import ScriptedUpstream

USER: Any = [{"role": "user", "content": "hi"}]
CHAT = {"model": "m", "messages": USER, "input": "hi", "stream": True}


@pytest.fixture
def client(upstream: ScriptedUpstream) -> Iterator[OpenAI]:
    with OpenAI(base_url=upstream.base_url(), api_key="k", max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def raw(upstream: ScriptedUpstream) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=20)
    yield connection
    connection.close()


def post(upstream: ScriptedUpstream, raw: http.client.HTTPConnection, body: Any = CHAT) -> None:
    path = upstream.base_url().partition(str(upstream.port))[2]
    raw.request("POST", f"{path}/chat/completions", json.dumps(body))


def streamed_text(client: OpenAI) -> str:
    chunks = client.chat.completions.create(model="m", messages=USER, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


class TestUnscripted:
    """It answers properly on both wires, as the demo does, and bills for it."""

    def test_both_protocols_are_answered_and_bill_alike(
        self, upstream: ScriptedUpstream, client: OpenAI
    ) -> None:
        complete = client.chat.completions.create(model="m", messages=USER).usage
        with client.responses.stream(model="m", input="hi") as stream:
            streamed = stream.get_final_response().usage
        assert complete is not None
        assert streamed is not None
        upstream.wait_for(2, end="finished")
        assert upstream.billed() == {
            "a": {
                "requests": 2,
                "input_tokens": complete.prompt_tokens + streamed.input_tokens,
                "cached_tokens": 0,
                "output_tokens": complete.completion_tokens + streamed.output_tokens,
            }
        }

    def test_models_are_listed(self, client: OpenAI) -> None:
        assert [model.id for model in client.models.list()] == ["gpt-4.1", "gpt-5.2"]

    def test_the_chatgpt_backend_is_as_particular_as_the_real_one(self, upstream: ScriptedUpstream) -> None:
        good: Any = {"model": "m", "input": "hi", "instructions": "", "store": False, "stream": True}
        with OpenAI(base_url=f"{upstream.root_url()}/codex", api_key="k", max_retries=0) as client:

            def detail(body: Any) -> Any:
                with pytest.raises(BadRequestError) as caught:
                    client.responses.create(**body)
                return caught.value.response.json()["detail"]

            assert detail({**good, "stream": False}) == "Stream must be set to true"
            assert detail({**good, "store": True}) == "Store must be set to false"
            assert detail({**good, "instructions": None}) == "Instructions are required"
            assert detail({**good, "top_p": 1}) == "Unsupported parameter: top_p"
            assert [event.type for event in client.responses.create(**good)][-1] == "response.completed"


class TestScripts:
    def test_plays_follow_each_other(self, upstream: ScriptedUpstream, client: OpenAI) -> None:
        upstream.script(
            {"play": "http_error", "status": 503},
            {"play": "text", "text": "one"},
            {"play": "text", "text": "two"},
        )
        with pytest.raises(InternalServerError):
            streamed_text(client)
        assert [streamed_text(client) for _ in range(3)] == ["one", "two", "two"]

    def test_cycle_begins_again(self, upstream: ScriptedUpstream, client: OpenAI) -> None:
        upstream.script({"play": "text", "text": "one"}, {"play": "text", "text": "two"}, repeat="cycle")
        assert [streamed_text(client) for _ in range(4)] == ["one", "two", "one", "two"]

    def test_once_leaves_what_was_there_before(self, upstream: ScriptedUpstream, client: OpenAI) -> None:
        upstream.script({"play": "text", "text": "always"})
        upstream.script({"play": "text", "text": "first"}, account="a", repeat="once")
        assert [streamed_text(client) for _ in range(3)] == ["first", "always", "always"]

    def test_the_closest_script_wins(self, upstream: ScriptedUpstream, client: OpenAI) -> None:
        upstream.script({"play": "text", "text": "by model"}, model="m")
        upstream.script({"play": "text", "text": "by account"}, account="a")
        upstream.script({"play": "text", "text": "by neither"})
        assert streamed_text(client) == "by account"

    def test_a_script_without_a_path_is_for_model_calls(
        self, upstream: ScriptedUpstream, client: OpenAI
    ) -> None:
        upstream.script({"play": "http_error", "status": 500})
        assert len(client.models.list().data) == 2
        upstream.script({"play": "json", "body": {"object": "list", "data": []}}, path="/models")
        assert client.models.list().data == []

    def test_an_unknown_play_is_refused_at_once(self, upstream: ScriptedUpstream) -> None:
        with pytest.raises(ValueError, match="chat_opera"):
            upstream.script({"play": "chat_opera"})


class TestNamedPlays:
    def test_text_comes_in_the_specified_number_of_deltas(
        self, upstream: ScriptedUpstream, client: OpenAI
    ) -> None:
        usage = {"input_tokens": 7, "output_tokens": 9, "cached_tokens": 4}
        upstream.script({"play": "text", "text": "Hello there", "deltas": 4, "usage": usage})
        events = list(client.responses.create(model="m", input="hi", stream=True))
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert len(deltas) == 4
        assert "".join(deltas) == "Hello there"
        last = events[-1]
        assert last.type == "response.completed"
        assert last.response.usage is not None
        assert last.response.usage.total_tokens == 16
        assert upstream.billed()["a"] == {"requests": 1, **usage}

    @pytest.mark.parametrize("stream", [False, True])
    def test_usage_may_be_withheld(self, upstream: ScriptedUpstream, client: OpenAI, stream: bool) -> None:
        upstream.script({"play": "text", "usage": None})
        response: Any = client.responses.create(model="m", input="hi", stream=stream)
        assert (list(response)[-1].response if stream else response).usage is None
        assert upstream.billed()["a"]["output_tokens"] > 0

    def test_tool_calls_carry_what_is_given(self, upstream: ScriptedUpstream, client: OpenAI) -> None:
        upstream.script({"play": "tool_call", "name": "f", "arguments": {"x": 1}, "deltas": 3})
        call: Any = client.responses.create(model="m", input="hi").output[0]
        assert (call.type, call.name, call.arguments) == ("function_call", "f", '{"x":1}')
        with client.chat.completions.stream(model="m", messages=USER) as stream:
            calls: Any = stream.get_final_completion().choices[0].message.tool_calls
        assert [(call.function.name, call.function.arguments) for call in calls] == [("f", '{"x":1}')]

    def test_refusal_reasoning_and_incomplete(self, upstream: ScriptedUpstream, client: OpenAI) -> None:
        upstream.script({"play": "refusal"}, {"play": "reasoning"}, {"play": "incomplete"})
        responses: list[Any] = [client.responses.create(model="m", input="hi") for _ in range(3)]
        assert responses[0].output[0].content[0].refusal == "Hello from a."
        assert [item.type for item in responses[1].output] == ["reasoning", "message"]
        assert responses[2].incomplete_details.reason == "max_output_tokens"

    @pytest.mark.parametrize("form", ["failed", "error", "nested"])
    def test_an_error_in_a_stream_comes_after_so_many_deltas(
        self, upstream: ScriptedUpstream, raw: http.client.HTTPConnection, form: str
    ) -> None:
        error = {"code": "server_is_overloaded", "message": "Later, please."}
        upstream.script({"play": "responses_error_in_stream", "after": 2, "form": form, "error": error})
        post(upstream, raw)
        *before, last = (
            json.loads(line.removeprefix(b"data: "))
            for line in raw.getresponse().read().splitlines()
            if line.startswith(b"data: ")
        )
        assert sum("delta" in event for event in before) == 2
        assert last["sequence_number"] == len(before)
        found = {"failed": last.get("response", {}).get("error"), "error": last, "nested": last.get("error")}
        assert found[form]["code"] == "server_is_overloaded"

    def test_an_error_in_a_chat_stream(self, upstream: ScriptedUpstream, client: OpenAI) -> None:
        upstream.script({"play": "error_in_stream", "error": {"message": "Later, please."}})
        with pytest.raises(APIError, match=r"Later, please\."):
            streamed_text(client)

    def test_an_http_error_has_the_body_and_headers_given(
        self, upstream: ScriptedUpstream, client: OpenAI
    ) -> None:
        body = {"error": {"type": "usage_limit_reached", "message": "spent", "resets_in_seconds": 9}}
        upstream.script({"play": "http_error", "status": 429, "body": body, "headers": {"Retry-After": 3}})
        with pytest.raises(RateLimitError) as caught:
            streamed_text(client)
        assert caught.value.response.headers["retry-after"] == "3"
        assert caught.value.response.json() == body

    def test_events_are_sent_as_they_are(
        self, upstream: ScriptedUpstream, raw: http.client.HTTPConnection
    ) -> None:
        upstream.script({"play": "events", "events": [{"odd": 1}]})
        post(upstream, raw)
        assert raw.getresponse().read() == b'data: {"odd":1}\n\ndata: [DONE]\n\n'


class TestBrokenResponses:
    @pytest.mark.parametrize("how", ["close", "reset"])
    def test_a_stream_that_is_cut(self, upstream: ScriptedUpstream, client: OpenAI, how: str) -> None:
        """The bill has what was produced by then."""
        usage = {"input_tokens": 5, "output_tokens": 10}
        at = {"2": [{how: True}]}
        upstream.script({"play": "text", "text": "abcde", "deltas": 5, "usage": usage, "at": at})
        with pytest.raises((APIConnectionError, httpx2.RemoteProtocolError, httpx2.ReadError)):
            streamed_text(client)
        (seen,) = upstream.wait_for(end={"close": "closed"}.get(how, how))
        assert seen.billed == {"input_tokens": 5, "cached_tokens": 0, "output_tokens": 4}

    def test_a_stream_that_ends_without_its_end(self, upstream: ScriptedUpstream, client: OpenAI) -> None:
        upstream.script({"play": "text", "at": {"end": [{"end": True}]}})
        events = list(client.responses.create(model="m", input="hi", stream=True))
        assert events[-1].type == "response.output_item.done"

    def test_no_response_at_all(self, upstream: ScriptedUpstream, client: OpenAI) -> None:
        upstream.script({"before": [{"close": True}]})
        with pytest.raises(APIConnectionError):
            streamed_text(client)
        assert upstream.log()[0].status is None

    @pytest.mark.parametrize("framing", ["chunked", "length", "close"])
    def test_every_framing(
        self, upstream: ScriptedUpstream, raw: http.client.HTTPConnection, framing: str
    ) -> None:
        steps = [{"send": "héllo ", "by": 1}, {"send_b64": "d29ybGQ="}]
        upstream.script({"framing": framing, "steps": steps})
        post(upstream, raw)
        response = raw.getresponse()
        assert response.read().decode() == "héllo world"
        assert (response.getheader("content-length") == "12") == (framing == "length")
        assert response.will_close == (framing == "close")

    def test_a_length_may_lie(self, upstream: ScriptedUpstream, raw: http.client.HTTPConnection) -> None:
        upstream.script(
            {
                "framing": "length",
                "headers": {"Content-Length": "99"},
                "steps": [{"send": "x"}, {"close": True}],
            }
        )
        post(upstream, raw)
        with pytest.raises(http.client.IncompleteRead):
            raw.getresponse().read()

    def test_bytes_past_the_framing(self, upstream: ScriptedUpstream) -> None:
        """Without a head, every byte is the script's."""
        line = "HTTP/1.1 204 Gone fishing\r\n\r\n"
        upstream.script({"status": None, "steps": [{"raw": line}, {"close": True}]})
        path = upstream.base_url().partition(str(upstream.port))[2]
        with socket.create_connection(("127.0.0.1", upstream.port), timeout=20) as sock:
            sock.sendall(f"POST {path}/responses HTTP/1.1\r\n\r\n".encode())
            assert sock.recv(65536) == line.encode()
            assert sock.recv(65536) == b""

    def test_a_connection_closed_after_a_proper_end(
        self, upstream: ScriptedUpstream, raw: http.client.HTTPConnection
    ) -> None:
        """The client has a dead connection in its pool when it needs one next."""
        upstream.script({"play": "text", "afterwards": [{"close": True}]})
        post(upstream, raw)
        raw.getresponse().read()
        assert raw.sock.recv(1) == b""
        assert upstream.log()[0].end == "finished"


class TestWaiting:
    def test_a_gate_holds_until_it_is_released(
        self, upstream: ScriptedUpstream, raw: http.client.HTTPConnection
    ) -> None:
        upstream.script({"steps": [{"send": "1"}, {"gate": "g"}, {"send": "2"}]})
        post(upstream, raw)
        response = raw.getresponse()
        assert response.read1() == b"1"
        (seen,) = upstream.wait_for(gate="g")
        assert seen.end is None
        upstream.release("g")
        assert response.read() == b"2"
        (seen,) = upstream.wait_for(end="finished")
        assert seen.gate is None

    @pytest.mark.parametrize("step", [{"gate": "g"}, {"stall": True}, {"sleep": 60}])
    @pytest.mark.parametrize("place", ["before", "steps"])
    def test_a_client_that_leaves_is_noticed_at_once(
        self, upstream: ScriptedUpstream, raw: http.client.HTTPConnection, place: str, step: Any
    ) -> None:
        upstream.script({place: [step]})
        post(upstream, raw)
        upstream.wait_for(1)
        raw.sock.shutdown(socket.SHUT_RDWR)
        (seen,) = upstream.wait_for(end="client_closed")
        assert seen.ended_at is not None
        assert seen.ended_at >= seen.at

    def test_waiting_gives_up_with_what_it_saw(self, upstream: ScriptedUpstream) -> None:
        with pytest.raises(TimeoutError, match="all \\[\\]"):
            upstream.wait_for(1, timeout_seconds=0)

    def test_waiting_is_over_when_the_last_one_comes(
        self, upstream: ScriptedUpstream, client: OpenAI
    ) -> None:
        requesting = threading.Thread(target=lambda: [streamed_text(client) for _ in range(3)])
        requesting.start()
        assert len(upstream.wait_for(3, path="/chat/completions", end="any")) == 3
        requesting.join()


class TestLog:
    def test_the_recorded_requests(self, upstream: ScriptedUpstream, client: OpenAI) -> None:
        for _ in range(2):
            client.chat.completions.create(model="m", messages=USER)
        first, second = upstream.log()
        assert (first.account, first.method, first.path) == ("a", "POST", "/v1/chat/completions")
        assert first.headers["authorization"] == "Bearer k"
        assert first.body == {"model": "m", "messages": USER}
        assert (first.status, first.play) == (200, "answer")
        assert first.connection == second.connection
        assert first.bytes_sent > 300

    def test_tests_do_not_see_each_other(
        self, upstream: ScriptedUpstream, upstream_process: ScriptedUpstream, client: OpenAI
    ) -> None:
        other = upstream_process.scoped("another-test")
        other.script({"play": "http_error"})
        streamed_text(client)
        assert len(upstream.log()) == 1
        assert other.log() == []
        assert other.billed() == {}

    def test_reset_clears_the_state_and_closes_connections(
        self, upstream: ScriptedUpstream, raw: http.client.HTTPConnection
    ) -> None:
        upstream.script({"steps": [{"send": "1"}, {"stall": True}]})
        post(upstream, raw)
        response = raw.getresponse()
        assert response.read1() == b"1"
        upstream.reset()
        with pytest.raises(http.client.IncompleteRead):
            response.read()
        assert upstream.log() == []
