"""A repeat with the same `Idempotency-Key` receives the response to the first, which is billed once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from app.api.idempotency import REPLAYED
from app.relay.recordings import MAX_RESPONSE_BYTES
from app.stores import keys
from app.stores.records.model_routes import ModelRoute, RouteTarget
from tests.service.test_common_rules import error_of
from tests.service.test_leaving import send_request
from tests.service.test_model_responses import BODIES, PATHS, events_of, streamed_text
from tests.service.test_pass_through_ends import ENDPOINTS
from tests.service.test_pass_through_ends import send as send_other
from tests.service.test_plain import JSON, SOUND, sound_play
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.processes import eventually
from tests.support.upstream_client import ScriptedUpstream

HEADER = "Idempotency-Key"
IN_THE_MIDDLE = {"play": "text", "text": "one two three", "deltas": 3, "at": {"2": [{"gate": "go"}]}}
SAME = ("content-type", "content-length", "x-request-id", "x-poolgate-request-id", "x-poolgate-account")


@pytest.fixture
def pool(pool: PoolOfTest, upstream: ScriptedUpstream) -> PoolOfTest:
    return with_account(pool, upstream)


def with_account(pool: PoolOfTest, upstream: ScriptedUpstream) -> PoolOfTest:
    """Give *pool* an account that streams every response, so that each has a middle."""
    pool.set(settings='{"stream_upstream": "always"}')
    pool.account("a", upstream.base_url(), protocols=("chat", "responses"))
    return pool


def send(
    pool: PoolOfTest, key: str, endpoint: str = "chat", *, name: str = "once", **more: Any
) -> requests.Response:
    return pool.post(PATHS[endpoint], BODIES[endpoint] | more, key, stream=True, headers={HEADER: name})


def claims(pool: PoolOfTest) -> list[str]:
    client: Any = pool.gateway.services.scripts.client
    return list(client.scan_iter(keys.recording(pool.name, "?" * 64)))


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("endpoint", PATHS)
class TestRepeats:
    def test_after_the_first(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, stream: bool
    ) -> None:
        """It has the same bytes, type and ids, and a header of its own; no upstream is called."""
        key = pool.key()
        first = send(pool, key, endpoint, stream=stream)
        body = first.content

        repeat = send(pool, key, endpoint, stream=stream)

        assert (repeat.status_code, repeat.content) == (200, body)
        assert (repeat.headers.get(REPLAYED), first.headers.get(REPLAYED)) == ("true", None)
        assert [repeat.headers.get(name) for name in SAME] == [first.headers.get(name) for name in SAME]
        assert len(pool.wait_for_rows(1)) == len(upstream.log()) == 1

    def test_several_while_the_first_runs(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, stream: bool
    ) -> None:
        upstream.script(IN_THE_MIDDLE)
        key = pool.key()
        with ThreadPoolExecutor(4) as clients:
            sent = [
                clients.submit(lambda: send(pool, key, endpoint, stream=stream).content) for _ in range(4)
            ]
            upstream.wait_for(gate="go")
            upstream.release("go")
            (body,) = {each.result() for each in sent}

        if stream:
            assert streamed_text(endpoint, events_of(body.decode())) == "one two three"
        else:
            assert b"one two three" in body
        assert len(pool.wait_for_rows(1)) == len(upstream.log()) == 1

    def test_after_the_client_of_the_first_left(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, stream: bool
    ) -> None:
        """The first runs to its end, and is billed as reported."""
        upstream.script(IN_THE_MIDDLE)
        key = pool.key()
        connection = send_request(
            pool, PATHS[endpoint], {**BODIES[endpoint], "stream": stream}, key, f"{HEADER}: once\r\n"
        )
        upstream.wait_for(gate="go")
        connection.close()
        time.sleep(0.1)  # a watched connection would be noticed by then
        upstream.release("go")

        repeat = send(pool, key, endpoint, stream=stream)

        assert b"three" in repeat.content
        (row,) = pool.wait_for_rows(1)
        assert (row["status"], row["source"], len(upstream.log())) == (200, "upstream", 1)
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)


class TestRefusals:
    def test_another_body(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        key = pool.key()
        send(pool, key).close()

        refused = send(pool, key, temperature=0)

        assert (refused.status_code, error_of(refused)["code"]) == (422, "idempotency_key_reused")
        assert error_of(refused)["param"] == HEADER
        assert len(upstream.log()) == 1

    def test_after_the_key_lost_the_model(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """As a new request; a model route permits what it leads to."""
        services = pool.gateway.services
        key, model = pool.key("ann"), BODIES["chat"]["model"]
        services.routes.put(pool.name, ModelRoute("fast", ((RouteTarget(model),),)))
        plain = send(pool, key).content
        routed = send(pool, key, name="routed", model="fast").content

        services.api_keys.change(pool.name, "ann", models=["fast"])
        refused = send(pool, key)
        assert (refused.status_code, error_of(refused)["code"]) == (403, "model_not_allowed")
        assert send(pool, key, name="routed", model="fast").content == routed
        services.api_keys.change(pool.name, "ann", models=[model])
        assert send(pool, key).content == plain
        assert send(pool, key, name="routed", model="fast").status_code == 403
        assert len(upstream.log()) == 2

    @pytest.mark.parametrize("name", ["", "x" * 256, "\xe9", "a\tb"])
    def test_an_invalid_header(self, pool: PoolOfTest, upstream: ScriptedUpstream, name: str) -> None:
        refused = send(pool, pool.key(), name=name.encode("latin-1"))  # type: ignore[arg-type]

        assert (refused.status_code, error_of(refused)["param"]) == (400, HEADER)
        assert upstream.log() == []

    def test_a_response_that_is_too_large(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        image = {"data": [{"b64_json": "x" * (MAX_RESPONSE_BYTES + 1)}], "usage": {"total_tokens": 4}}
        upstream.script({"play": "json", "body": image}, path="/images/generations")
        key, path, body = pool.key(), "/v1/images/generations", JSON["images/generations"]
        assert pool.post(path, body, key, headers={HEADER: "once"}).json() == image

        refused = pool.post(path, body, key, headers={HEADER: "once"})

        assert (refused.status_code, refused.headers["x-should-retry"]) == (409, "false")
        assert error_of(refused)["code"] == "idempotency_response_not_stored"
        assert len(pool.wait_for_rows(1)) == 1


class TestOthers:
    """Only the same request is a repeat."""

    def test_without_the_header(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        key = pool.key()
        for _ in range(2):
            assert REPLAYED not in pool.post(PATHS["chat"], BODIES["chat"], key).headers

        assert len(upstream.log()) == 2
        assert claims(pool) == []

    def test_another_key_or_endpoint_or_value(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        key = pool.key()
        responses = [
            send(pool, key),
            send(pool, pool.key("other")),
            send(pool, key, "responses"),
            send(pool, key, name="twice"),
        ]

        assert [each.headers.get(REPLAYED) for each in responses] == [None] * 4
        assert len(upstream.log()) == 4


class TestFailures:
    """A failure that is an HTTP status is not stored: a repeat is tried again."""

    def test_of_the_upstream(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        refusal = {"play": "http_error", "status": 400, "body": {"error": {"message": "no", "code": "x"}}}
        upstream.script(refusal, {"play": "text"})
        key = pool.key()
        assert send(pool, key).status_code == 400

        repeat = send(pool, key)

        assert (repeat.status_code, repeat.headers.get(REPLAYED)) == (200, None)

    def test_of_a_request_that_others_wait_for(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """One of those that wait is the next."""
        refusal = {"error": {"message": "no", "code": "x"}}
        failing = {"play": "http_error", "status": 400, "body": refusal, "before": [{"gate": "go"}]}
        upstream.script(failing, {"play": "text"})
        key = pool.key()
        with ThreadPoolExecutor(3) as clients:
            sent = [clients.submit(lambda: send(pool, key)) for _ in range(3)]
            upstream.wait_for(gate="go")
            upstream.release("go")
            responses = [each.result() for each in sent]

        assert sorted(each.status_code for each in responses) == [200, 200, 400]
        assert sum(REPLAYED in each.headers for each in responses) == 1
        assert len(upstream.log()) == 2

    def test_of_validation(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        key = pool.key()
        assert send(pool, key, messages="none").status_code == 400

        assert send(pool, key).status_code == 200

    def test_a_stream_that_broke_off_is_stored(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """It was billed; a repeat receives its error event as well."""
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"reset": True}]}})
        key = pool.key()
        body = send(pool, key, stream=True).content
        assert "error" in events_of(body.decode())[-2]

        repeat = send(pool, key, stream=True)

        assert (repeat.content, repeat.headers.get(REPLAYED)) == (body, "true")
        assert len(pool.wait_for_rows(1)) == 1


def test_a_recording_that_is_lost_breaks_the_connection_of_a_repeat(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    """It never looks complete."""
    upstream.script(IN_THE_MIDDLE)
    key = pool.key()
    first = send(pool, key, stream=True)
    upstream.wait_for(gate="go")
    repeat = send(pool, key, stream=True)
    assert repeat.headers[REPLAYED] == "true"
    pool.gateway.services.scripts.client.delete(*claims(pool))

    with pytest.raises(requests.RequestException):
        repeat.content  # noqa: B018
    upstream.release("go")
    assert b"three" in first.content


@pytest.mark.parametrize(
    "path", ["/api/v1/openai/chat/completions", "/openai/v1/chat/completions", "/backend-api/codex/responses"]
)
def test_other_dialects(pool: PoolOfTest, upstream: ScriptedUpstream, path: str) -> None:
    key = pool.key()
    body = BODIES["responses" if path.endswith("responses") else "chat"]
    auth = ("", key) if path.startswith("/api") else None
    first, repeat = (
        pool.post(path, body, None if auth else key, auth=auth, headers={HEADER: "once"}) for _ in range(2)
    )

    assert first.status_code == 200
    assert (repeat.content, repeat.headers.get(REPLAYED)) == (first.content, "true")
    assert len(upstream.log()) == 1


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_endpoints_that_pass_through(pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str) -> None:
    """A form is the same under another boundary, which each repeat has."""
    upstream.script({"play": "json", "body": {"data": [], "usage": {"total_tokens": 4}}}, path=f"/{endpoint}")
    key = pool.key()
    first, repeat = (send_other(pool, endpoint, key, headers={HEADER: "once"}) for _ in range(2))

    assert first.status_code == 200
    assert (repeat.content, repeat.headers.get(REPLAYED)) == (first.content, "true")
    assert len(pool.wait_for_rows(1)) == len(upstream.log()) == 1


def test_binary_responses(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    upstream.script(sound_play(), path="/audio/speech")
    key = pool.key()
    body = {"model": "m", "input": "Hello", "voice": "alloy"}
    responses = [pool.post("/v1/audio/speech", body, key, headers={HEADER: "once"}) for _ in range(2)]

    assert [each.content for each in responses] == [SOUND] * 2
    assert [each.headers["content-type"] for each in responses] == ["audio/mpeg"] * 2
    assert len(upstream.log()) == 1


def test_binary_data_that_broke_off_is_not_stored(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    upstream.script(sound_play({"reset": True}), sound_play(), path="/audio/speech")
    key = pool.key()
    body = {"model": "m", "input": "Hello", "voice": "alloy"}
    with pytest.raises(requests.RequestException):
        pool.post("/v1/audio/speech", body, key, headers={HEADER: "once"})

    assert eventually(lambda: claims(pool) == [])
    assert pool.post("/v1/audio/speech", body, key, headers={HEADER: "once"}).content == SOUND


def test_replays_are_counted_and_readable_by_pages(pool: PoolOfTest) -> None:
    key = pool.key()
    headers = {HEADER: "once", "Origin": "https://app.example.com"}
    for _ in range(2):
        response = pool.post(PATHS["chat"], BODIES["chat"], key, headers=headers)

    assert REPLAYED in response.headers["Access-Control-Expose-Headers"].split(", ")
    counted = pool.get("/metrics").text
    assert "poolgate_replayed_responses_total" in counted


class TestProcesses:
    @pytest.fixture
    def env(self) -> dict[str, str]:
        return {}

    @pytest.fixture
    def gateway(self, redis_url: str, tmp_path: Path, env: dict[str, str]) -> Iterator[Gateway]:
        with running_gateway(redis_url, tmp_path, workers=2, **env) as running:
            assert eventually(lambda: len(running.children()) == 2, 60)
            yield running

    @pytest.fixture
    def pool(self, gateway: Gateway, upstream: ScriptedUpstream) -> PoolOfTest:
        return with_account(gateway.pool(), upstream)

    def test_the_worker_of_the_first_is_killed(
        self, pool: PoolOfTest, gateway: Gateway, upstream: ScriptedUpstream
    ) -> None:
        """Its lease expires, and the repeat is a request of its own."""
        upstream.script(IN_THE_MIDDLE, {"play": "text"})
        key = pool.key()
        with ThreadPoolExecutor(2) as clients:
            clients.submit(send, pool, key)
            upstream.wait_for(gate="go")
            before = gateway.children()
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            assert eventually(lambda: len(set(gateway.children()) - set(before)) == 2, 60)
            repeat = clients.submit(send, pool, key)
            (claim,) = claims(pool)
            client: Any = gateway.services.scripts.client
            assert 0 < client.pttl(claim) <= gateway.services.settings.lease_ttl_seconds * 1000
            time.sleep(0.2)
            assert not repeat.done()
            client.delete(claim)  # as if its lease had expired

            assert repeat.result().status_code == 200
        assert REPLAYED not in repeat.result().headers
        assert len(upstream.log()) == 2

    @pytest.mark.parametrize("env", [{"GRACEFUL_TIMEOUT": "3"}])
    def test_the_worker_of_the_first_stops(
        self, pool: PoolOfTest, gateway: Gateway, upstream: ScriptedUpstream
    ) -> None:
        """The stream that it had to end is not stored; what it sent completely is."""
        key = pool.key()
        complete = send(pool, key, name="complete").content
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"stall": True}]}})
        with ThreadPoolExecutor(1) as clients:
            cut = clients.submit(lambda: send(pool, key, stream=True).text)
            upstream.wait_for(2)
            gateway.process.send_signal(signal.SIGHUP)
            assert events_of(cut.result())[-2]["error"]["code"] == "worker_stopping"
        upstream.script({"play": "text"})

        assert REPLAYED not in send(pool, key, stream=True).headers
        assert send(pool, key, name="complete").content == complete

    @pytest.mark.parametrize("env", [{"POOLGATE_IDEMPOTENCY": "off"}])
    def test_the_header_is_ignored_where_it_is_off(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        key = pool.key()
        for _ in range(2):
            assert REPLAYED not in send(pool, key).headers

        assert len(upstream.log()) == 2
