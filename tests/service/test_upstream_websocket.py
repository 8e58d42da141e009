"""Accounts whose conversations go over a WebSocket: only what is new is sent, the rest is as over HTTP."""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.accounts.account import Account
from app.accounts.own_proxy import OwnProxy
from app.accounts.request_settings import RequestSettings
from tests.service.test_leaving import send_request
from tests.service.test_model_responses import events_of
from tests.service.test_observing import metrics
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.processes import eventually
from tests.support.proxies import http_proxy, socks_proxy
from tests.support.tls import make_certificate, tls_proxy
from tests.support.upstream_client import ScriptedUpstream, Seen
from tests.support.upstream_websocket import HANDSHAKE, close_step, text_frame
from tests.support.websocket import socket_of

ON = RequestSettings(websocket="on")
Json = dict[str, Any]


@pytest.fixture(scope="module")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One worker: a connection serves the conversation on the worker that has it."""
    with running_gateway(
        redis_url, tmp_path_factory.mktemp("home"), workers=1, POOLGATE_WEBSOCKET="on"
    ) as running:
        yield running


@pytest.fixture
def account(pool: PoolOfTest, upstream: ScriptedUpstream) -> Account:
    return pool.account("a", upstream.base_url(), settings=ON)


@pytest.fixture
def key(pool: PoolOfTest, account: Account) -> str:
    return pool.key()


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def turn(items: list[Json]) -> Json:
    """Return the request for *items* as a turn of a conversation."""
    own = {"stream": True, "store": False, "prompt_cache_key": "c1"}
    return {"model": "m", "instructions": "Help.", "input": items, **own}


def post(pool: PoolOfTest, key: str, items: list[Json], **more: Any) -> list[Json]:
    """Send *items* as a turn of a conversation; return the events of its response."""
    response = pool.post("/v1/responses", turn(items) | more, key)
    assert response.status_code == 200, response.text
    return events_of(response.text)


def output_of(events: list[Json]) -> list[Json]:
    assert events[-1]["type"] == "response.completed", events
    output: list[Json] = events[-1]["response"]["output"]
    return output


def requests_of(upstream: ScriptedUpstream) -> list[Seen]:
    """Return the requests that were sent, without handshakes."""
    return [seen for seen in upstream.log() if seen.path != HANDSHAKE]


def methods_of(upstream: ScriptedUpstream) -> list[str]:
    return [seen.method for seen in upstream.log()]


class TestConversation:
    def test_later_turns_send_only_what_is_new(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str
    ) -> None:
        """All turns take one connection, and each names the response that it continues."""
        conversation = [user("one " * 500)]
        upstream.script(
            {"play": "tool_call", "name": "look", "arguments": {"at": 1}}, {"play": "text"}, repeat="cycle"
        )
        for turn in range(4):
            output = output_of(post(pool, key, conversation))
            answer = {"type": "function_call_output", "call_id": output[0].get("call_id"), "output": "42"}
            conversation += [*output, user("go on") if turn % 2 else answer]

        first, *later = requests_of(upstream)
        assert methods_of(upstream) == ["GET", *["WEBSOCKET"] * 4]
        assert len({seen.connection for seen in upstream.log()}) == 1
        assert first.body is not None
        assert "previous_response_id" not in first.body
        assert [len(seen.body["input"]) for seen in later if seen.body] == [1, 1, 1]
        assert all(seen.body_bytes < first.body_bytes / 4 for seen in later)
        assert len({seen.body["previous_response_id"] for seen in later if seen.body}) == 3

    def test_the_ledger_is_as_over_http(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        conversation = [user("one")]
        conversation += [*output_of(post(pool, key, conversation)), user("two")]
        post(pool, key, conversation)

        rows = pool.wait_for_rows(2)
        billed = upstream.billed()["a"]
        assert [row["source"] for row in rows] == ["upstream", "upstream"]
        assert sum(row["input_tokens"] for row in rows) == billed["input_tokens"]
        assert sum(row["output_tokens"] for row in rows) == billed["output_tokens"]
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)

    @pytest.mark.parametrize(
        "change",
        [{"instructions": "Be brief."}, {"tools": [{"type": "function", "name": "f", "parameters": {}}]}],
    )
    def test_a_changed_field_is_a_new_beginning(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str, change: Json
    ) -> None:
        conversation = [user("one")]
        conversation += [*output_of(post(pool, key, conversation)), user("two")]
        post(pool, key, conversation, **change)

        last = requests_of(upstream)[-1]
        assert last.method == "WEBSOCKET"
        assert last.body is not None
        assert len(last.body["input"]) == 3
        assert "previous_response_id" not in last.body

    def test_another_history_is_sent_in_full(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str
    ) -> None:
        conversation = [user("one")]
        output = output_of(post(pool, key, conversation))
        post(pool, key, [user("another"), *output, user("two")])

        last = requests_of(upstream)[-1]
        assert last.body is not None
        assert len(last.body["input"]) == 3

    def test_clients_may_leave_out_ids(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        """Codex returns items without their ids and states."""
        conversation = [user("one")]
        for item in output_of(post(pool, key, conversation)):
            text = item["content"][0]["text"]
            conversation.append({"role": "assistant", "content": [{"type": "output_text", "text": text}]})
        post(pool, key, [*conversation, user("two")])

        last = requests_of(upstream)[-1]
        assert last.body is not None
        assert len(last.body["input"]) == 1

    def test_keys_do_not_share_one(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        conversation = [user("one")]
        conversation += [*output_of(post(pool, key, conversation)), user("two")]
        post(pool, pool.key("other"), conversation)

        assert len({seen.connection for seen in requests_of(upstream)}) == 2

    def test_parallel_requests_of_one_conversation(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str
    ) -> None:
        """The second does not wait for the connection."""
        upstream.script({"play": "text", "at": {"1": [{"gate": "g"}]}}, {"play": "text"})
        body = {"model": "m", "input": "one", "stream": True, "prompt_cache_key": "c1"}
        with pool.post("/v1/responses", body, key, stream=True) as first:
            upstream.wait_for(gate="g")
            post(pool, key, [user("two")])
            upstream.release("g")
            assert "response.completed" in first.text

        assert [seen.method for seen in requests_of(upstream)] == ["WEBSOCKET", "POST"]


class TestClientsOverWebSocket:
    def test_what_is_new_is_sent_on(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        """What the gateway adds for accounts without the conversation is not sent to the one that has it."""
        with socket_of(pool, key) as client:
            previous: Json = {}
            for number in range(3):
                events = client.respond([user(f"turn {number}")], prompt_cache_key="c1", **previous)
                previous = {"previous_response_id": events[-1]["response"]["id"]}

        sent = requests_of(upstream)
        assert methods_of(upstream) == ["GET", *["WEBSOCKET"] * 3]
        assert [seen.body["input"] for seen in sent if seen.body] == [[user(f"turn {n}")] for n in range(3)]


def test_requests_are_counted(gateway: Gateway, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url(), settings=ON)
    name = "poolgate_upstream_websocket_requests_total"
    before = {sent: metrics(gateway).get(f"{name} {sent}", 0) for sent in ("all", "new_items", "http")}
    key, conversation = pool.key(), [user("one")]
    conversation += [*output_of(post(pool, key, conversation)), user("two")]
    post(pool, key, conversation)

    expected = {"all": before["all"] + 1, "new_items": before["new_items"] + 1, "http": before["http"]}
    assert eventually(
        lambda: {sent: metrics(gateway).get(f"{name} {sent}", 0) for sent in expected} == expected
    )


class TestWithoutIt:
    @pytest.mark.parametrize(
        "body",
        [
            {"stream": True},
            {"stream": False, "prompt_cache_key": "c1"},
            {"stream": True, "prompt_cache_key": "c1", "conversation": "conv_1"},
        ],
        ids=["no conversation", "not streamed", "stored"],
    )
    def test_other_requests_go_over_http(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str, body: Json
    ) -> None:
        pool.post("/v1/responses", {"model": "m", "input": "hi"} | body, key)

        assert methods_of(upstream) == ["POST"]

    def test_it_is_off(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())

        post(pool, pool.key(), [user("hi")])

        assert methods_of(upstream) == ["POST"]


class TestRefused:
    @pytest.mark.parametrize("status", [400, 403, 404, 426, 500, 503])
    def test_a_refused_handshake_is_remembered(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str, status: int
    ) -> None:
        """The request is sent over HTTP, and so are the next ones without another try."""
        upstream.script({"play": "http_error", "status": status}, path=HANDSHAKE)

        for _ in range(2):
            post(pool, key, [user("hi")])

        assert methods_of(upstream) == ["GET", "POST", "POST"]
        assert [len(row["attempts"]) for row in pool.wait_for_rows(2)] == [1, 1]

    @pytest.mark.parametrize("code", [1000, 1008, 1009, 1012])
    def test_a_new_connection_that_is_closed(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str, code: int
    ) -> None:
        """Some accounts are closed out with 1008 right after the handshake."""
        upstream.script(
            {"status": 200, "before": [close_step(code), {"close": True}]}, {"play": "text"}, repeat="last"
        )

        post(pool, key, [user("hi")])

        assert [seen.method for seen in requests_of(upstream)] == ["WEBSOCKET", "POST"]

    @pytest.mark.parametrize(
        "end", [{"close": True}, {"raw_b64": b64encode(b"\x82\x01x").decode()}], ids=["end", "bytes"]
    )
    def test_a_new_connection_that_breaks(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str, end: Json
    ) -> None:
        """The request may have been billed, so it is not repeated; later ones are sent over HTTP."""
        upstream.script({"status": 200, "before": [end]}, {"play": "text"})

        first = pool.post("/v1/responses", turn([user("hi")]), key)
        post(pool, key, [user("hi")])

        assert first.status_code == 502
        assert [seen.method for seen in requests_of(upstream)] == ["WEBSOCKET", "POST"]

    def test_the_upstream_has_forgotten(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        """The request is sent once more, in full, over a new connection."""
        error = {"code": "previous_response_not_found", "message": "no", "type": "invalid_request_error"}
        upstream.script(
            {"play": "text"},
            {"play": "http_error", "status": 400, "body": {"error": error}},
            {"play": "text"},
        )
        conversation = [user("one")]
        conversation += [*output_of(post(pool, key, conversation)), user("two")]
        post(pool, key, conversation)

        last = requests_of(upstream)[-1]
        assert methods_of(upstream) == ["GET", "WEBSOCKET", "WEBSOCKET", "GET", "WEBSOCKET"]
        assert last.body is not None
        assert len(last.body["input"]) == 3

    def test_a_connection_that_was_closed_between_two_turns(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str
    ) -> None:
        upstream.script({"play": "text", "afterwards": [close_step(1001), {"close": True}]}, {"play": "text"})
        conversation = [user("one")]
        conversation += [*output_of(post(pool, key, conversation)), user("two")]
        post(pool, key, conversation)

        assert methods_of(upstream) == ["GET", "WEBSOCKET", "GET", "WEBSOCKET"]


class TestErrors:
    @pytest.mark.parametrize("status", [400, 401, 403, 429])
    def test_an_error_is_that_of_http(
        self, gateway: Gateway, upstream: ScriptedUpstream, status: int
    ) -> None:
        """Status, body and the verdict on the account are equal, and secrets that it quotes are hidden."""
        error = {"message": "No: sk-secret-1", "type": "t", "code": "c", "resets_in_seconds": 60}
        upstream.script({"play": "http_error", "status": status, "body": {"error": error}})
        seen = []
        for name, settings in (("a", RequestSettings()), ("b", ON)):
            pool = gateway.pool()
            pool.account("a", upstream.base_url(name), settings=settings, credential="sk-secret-1")
            response = pool.post("/v1/responses", turn([user("hi")]), pool.key())
            (row,) = pool.wait_for_rows(1)
            seen.append((response.status_code, response.json(), row["status"], pool.states()))

        assert {seen.method for seen in upstream.log()} == {"POST", "GET", "WEBSOCKET"}
        assert seen[0] == seen[1]
        assert "sk-secret-1" not in str(seen)

    def test_a_later_error_is_that_of_http(self, gateway: Gateway, upstream: ScriptedUpstream) -> None:
        upstream.script({"play": "error_in_stream", "after": 1, "deltas": 3, "text": "one two"})
        seen = []
        for name, settings in (("a", RequestSettings()), ("b", ON)):
            pool = gateway.pool()
            pool.account("a", upstream.base_url(name), settings=settings)
            events = post(pool, pool.key(), [user("hi")])
            (row,) = pool.wait_for_rows(1)
            seen.append(([event["type"] for event in events], row["status"], row["output_tokens"]))

        assert seen[0] == seen[1]

    @pytest.mark.parametrize(
        "end",
        [
            [{"close": True}],
            [{"reset": True}],
            [close_step(1011), {"close": True}],
            [{"raw": "no frame at all"}, {"close": True}],
        ],
        ids=["end", "reset", "closed", "no frame"],
    )
    def test_a_connection_that_breaks_in_the_middle(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str, end: list[Json]
    ) -> None:
        """The response ends as one over HTTP does; the next takes a new connection."""
        upstream.script({"play": "text", "deltas": 3, "at": {"2": end}}, {"play": "text"}, repeat="last")

        events = post(pool, key, [user("hi")])
        again = post(pool, key, [user("hi")])

        assert events[-1]["type"] == "response.failed"
        assert again[-1]["type"] == "response.completed"
        assert len({seen.connection for seen in requests_of(upstream)}) == 2
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)

    def test_reports_without_a_response(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        reports = 'data: {"type":"codex.rate_limits"}\n\n' * 1001
        upstream.script({"play": "text", "at": {"start": [{"send": reports}]}})

        response = pool.post("/v1/responses", turn([user("hi")]), key)

        assert response.json()["error"]["code"] == "upstream_protocol_error"
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)

    def test_another_account_answers(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """A connection that breaks before anything was sent to the client is a reason for failover."""
        pool.set(policy="ordered")
        pool.account("a", upstream.base_url("a"), settings=ON)
        pool.account("b", upstream.base_url("b"), settings=ON, group=1)
        upstream.script({"play": "text", "at": {"start": [{"close": True}]}}, account="a")

        events = post(pool, pool.key(), [user("hi")])

        assert events[-1]["type"] == "response.completed"
        assert [seen.account for seen in requests_of(upstream)][-1] == "b"

    @pytest.mark.parametrize("play", ["incomplete", "text"])
    def test_a_response_that_was_not_completed(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str, play: str
    ) -> None:
        """Its connection serves no other request: what it remembers is not certain."""
        late = {"raw_b64": b64encode(text_frame(b'{"type":"error","status":400,"error":{}}')).decode()}
        upstream.script({"play": play, "afterwards": [late]}, {"play": "text"})

        post(pool, key, [user("hi")])
        assert post(pool, key, [user("hi")])[-1]["type"] == "response.completed"

        assert len({seen.connection for seen in requests_of(upstream)}) == 2


class TestLeaving:
    @pytest.mark.parametrize("place", ["start", "1"])
    def test_the_upstream_stops(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str, place: str
    ) -> None:
        """A client that leaves ends the connection within a second, before or after the first event."""
        upstream.script({"play": "text", "deltas": 3, "at": {place: [{"gate": "g"}]}})
        with send_request(pool, "/v1/responses", turn([user("hi")]), key):
            upstream.wait_for(gate="g")

        (seen,) = upstream.wait_for(path="/responses", end="client_closed", timeout_seconds=5)
        assert seen.method == "WEBSOCKET"
        pool.wait_for_rows(1)
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)

    @pytest.mark.parametrize("place", ["start", "1"])
    def test_the_next_turn(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str, place: str) -> None:
        """It takes a new connection and is sent in full."""
        upstream.script({"play": "text", "deltas": 3, "at": {place: [{"gate": "g"}]}}, {"play": "text"})
        with send_request(pool, "/v1/responses", turn([user("hi")]), key):
            upstream.wait_for(gate="g")
        pool.wait_for_rows(1)

        post(pool, key, [user("hi"), user("again")])

        last = requests_of(upstream)[-1]
        assert last.method == "WEBSOCKET"
        assert last.body is not None
        assert len(last.body["input"]) == 2


def test_no_connection_is_left(pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
    """Whatever ends a response, its connection is closed, or serves the next request of the conversation."""
    (worker,) = pool.gateway.children()
    post(pool, key, [user("hi")])
    before = len(os.listdir(f"/proc/{worker}/fd"))
    broken = [{"close": True}], [{"reset": True}], [close_step(1011), {"close": True}]
    error = {"play": "http_error", "status": 400, "body": {"error": {"message": "no"}}}
    for place in ("start", "1"):
        for end in broken:
            upstream.script({"play": "text", "deltas": 2, "at": {place: end}})
            pool.post("/v1/responses", turn([user("hi")]), key)
        upstream.script({"play": "text", "deltas": 2, "at": {place: [{"stall": True}]}})
        with send_request(pool, "/v1/responses", turn([user("hi")]), key):
            upstream.wait_for(end=None, path="/responses")
    for play in (error, {"play": "incomplete"}, {"play": "text"}):
        upstream.script(play)
        pool.post("/v1/responses", turn([user("hi")]), key)

    assert eventually(lambda: len(os.listdir(f"/proc/{worker}/fd")) <= before + 1)
    assert eventually(lambda: pool.open_leases() == 0)


class TestChatGpt:
    @pytest.fixture
    def key(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
        url = f"{upstream.root_url()}/backend-api"
        pool.account("a", url, kind="chatgpt", chatgpt_account_id="acc-1", settings=ON)
        return pool.key()

    def test_the_handshake_and_the_metadata(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str
    ) -> None:
        """It is Codex's: what differs from request to request is in the message, not in headers."""
        client = {"session-id": "s1", "x-codex-turn-state": "T", "openai-beta": "other", "x-own": "1"}
        body = turn([user("hi")]) | {"client_metadata": {"turn_id": "t1"}}
        response = pool.post("/backend-api/codex/responses", body, key, headers=client)
        assert response.status_code == 200, response.text

        handshake, request = upstream.wait_for(2)
        assert handshake.headers["openai-beta"] == "responses_websockets=2026-02-06"
        assert handshake.headers["chatgpt-account-id"] == "acc-1"
        assert handshake.headers["session-id"] == "s1"
        assert handshake.headers["authorization"] == "Bearer sk-a"
        assert not {"accept", "content-type", "content-length", "x-own"} & handshake.headers.keys()
        assert request.body is not None
        assert request.body["client_metadata"] == {"turn_id": "t1", "x-codex-turn-state": "T"}
        assert not {"stream", "background"} & request.body.keys()

    def test_reasoning_is_returned(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        """An item that only its account can read is one that the upstream remembers."""
        reasoning = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAAsealed"}
        call = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c1", "name": "patch", "input": "x"}
        items = [reasoning, {**call, "status": "completed"}]
        response = {"id": "resp_1", "object": "response", "model": "m", "status": "completed", "output": []}
        done = [
            {"type": "response.output_item.done", "output_index": index, "item": item}
            for index, item in enumerate(items)
        ]
        upstream.script(
            {"play": "events", "events": [*done, {"type": "response.completed", "response": response}]},
            {"play": "text"},
        )
        include = {"include": ["reasoning.encrypted_content"]}
        conversation = [user("one")]
        output = output_of(post(pool, key, conversation, **include))
        returned = [{name: item[name] for name in item if name not in ("id", "status")} for item in output]
        result = {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"}
        post(pool, key, [*conversation, *returned, result], **include)

        last = requests_of(upstream)[-1]
        assert last.body is not None
        assert [item["type"] for item in last.body["input"]] == ["custom_tool_call_output"]

    @pytest.mark.parametrize("path", ["/v1/responses", "/backend-api/codex/responses"])
    def test_usage_windows(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str, path: str) -> None:
        """Those of the event are the account's; the event itself is for Codex alone."""
        limits = {"primary": {"used_percent": 42.0, "window_minutes": 300, "reset_at": time.time() + 900}}
        event = {"type": "codex.rate_limits", "plan_type": "plus", "rate_limits": limits}
        data = f"data: {json.dumps(event)}\n\n"
        upstream.script({"play": "text", "at": {"start": [{"send": data}]}})

        response = pool.post(path, turn([user("hi")]), key)

        assert ("codex.rate_limits" in response.text) == ("codex" in path)
        pool.wait_for_rows(1)
        (account,) = pool.gateway.services.accounts.all(pool.name)
        assert account.used[0] == 42.0


class TestRoute:
    def test_tls_and_own_certificates(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, tmp_path: Path
    ) -> None:
        certificate, private = make_certificate(tmp_path, address="127.0.0.1")
        with tls_proxy(upstream.port, certificate, private) as port:
            url = upstream.base_url().replace("http:", "https:").replace(str(upstream.port), str(port))
            settings = RequestSettings(websocket="on", ca_certificates=certificate.read_text())
            pool.account("a", url, settings=settings)
            key = pool.key()
            conversation = [user("one")]
            conversation += [*output_of(post(pool, key, conversation)), user("two")]
            post(pool, key, conversation)

        assert methods_of(upstream) == ["GET", "WEBSOCKET", "WEBSOCKET"]

    @pytest.mark.parametrize("scheme", ["http", "socks5h"])
    def test_the_proxy_of_the_account(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, tmp_path: Path, scheme: str
    ) -> None:
        certificate = make_certificate(tmp_path, address="127.0.0.1")
        open_proxy = http_proxy if scheme == "http" else socks_proxy
        with tls_proxy(upstream.port, *certificate) as port, open_proxy() as (proxy_port, seen):
            url = upstream.base_url().replace("http:", "https:").replace(str(upstream.port), str(port))
            proxy = OwnProxy(f"{scheme}://ann@127.0.0.1:{proxy_port}", True, "secret")
            own = RequestSettings(websocket="on", ca_certificates=certificate[0].read_text(), proxy=proxy)
            pool.account("a", url, settings=own)
            post(pool, pool.key(), [user("one")])

            assert len(seen) == 1
        assert methods_of(upstream) == ["GET", "WEBSOCKET"]
