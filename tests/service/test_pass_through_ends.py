"""How answers that pass through end: in the ledger, for their account, and for a caller that leaves."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from app.stores import keys
from schemas.passthrough import FORM_REQUESTS, JSON_REQUESTS
from tests.service.test_common_rules import error_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

ENDPOINTS = (*JSON_REQUESTS, *FORM_REQUESTS)
BODY = {"model": "m", "input": "Hello", "prompt": "A cat", "voice": "alloy"}
USAGE = {"input_tokens": 4, "output_tokens": 2, "total_tokens": 6}
COMPLETE = {"data": [], "usage": USAGE}
SSE = {"content-type": "text/event-stream"}
LAST = 'data: {"type":"transcript.text.done","text":"Hi","usage":{"input_tokens":4,"output_tokens":2}}\n\n'
DONE = 'data: {"choices":[{"text":"Hi"}]}\n\ndata: [DONE]\n\n'


def send(
    pool: PoolOfTest, endpoint: str, key: str, headers: dict[str, str] | None = None, **more: Any
) -> requests.Response:
    """Send the request that *endpoint* takes: a form or JSON."""
    options: dict[str, Any] = {"json": BODY}
    if endpoint in FORM_REQUESTS:
        options = {
            "files": {
                **{name: (None, value) for name, value in BODY.items()},
                "file": ("a.wav", b"RIFF"),
                "image": ("a.png", b"PNG", "image/png"),
            }
        }
    return requests.post(
        f"{pool.gateway.url}/v1/{endpoint}",
        headers={"Authorization": f"Bearer {key}", **(headers or {})},
        timeout=30,
        **options,
        **more,
    )


def errors_of(pool: PoolOfTest) -> int:
    """Return the streak of failures that the pool's only account has."""
    (account,) = pool.gateway.services.accounts.all(pool.name)
    client: Any = pool.gateway.services.scripts.client
    return int(client.hget(keys.account(pool.name, account.id), "errors") or 0)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
class TestSuccess:
    def test_a_complete_response_is_a_success(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str
    ) -> None:
        """It is recorded as 200 and ends the account's streak of failures."""
        pool.account("a", upstream.base_url())
        upstream.script(
            {"play": "http_error", "status": 500}, {"play": "json", "body": COMPLETE}, path=f"/{endpoint}"
        )

        response = send(pool, endpoint, pool.key())

        assert (response.status_code, response.json()) == (200, COMPLETE)
        (row,) = pool.wait_for_rows(1)
        assert (row["status"], row.get("error")) == (200, None)
        assert (row["input_tokens"], row["output_tokens"]) == (4, 2)
        assert (errors_of(pool), pool.states()) == (0, {"a": "active"})

    @pytest.mark.parametrize("sent", [LAST, DONE])
    def test_streamed_response_is_a_success(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, sent: str
    ) -> None:
        pool.account("a", upstream.base_url())
        upstream.script({"headers": SSE, "steps": [{"send": sent}]}, path=f"/{endpoint}")

        assert send(pool, endpoint, pool.key()).text == sent
        (row,) = pool.wait_for_rows(1)
        assert (row["status"], row.get("error")) == (200, None)

    @pytest.mark.parametrize("sent", [LAST, DONE])
    def test_caller_that_leaves_after_the_end_has_had_it_all(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, sent: str
    ) -> None:
        """The upstream leaves its connection open; the response was complete nevertheless."""
        pool.account("a", upstream.base_url())
        upstream.script({"headers": SSE, "steps": [{"send": sent}, {"stall": True}]}, path=f"/{endpoint}")

        response = send(pool, endpoint, pool.key(), stream=True)
        assert response.raw.read(len(sent)) == sent.encode()
        response.close()

        (row,) = pool.wait_for_rows(1)
        assert (row["status"], row.get("error")) == (200, None)
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)

    def test_caller_that_disconnects_before_the_end_is_recorded_as_499(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str
    ) -> None:
        pool.account("a", upstream.base_url())
        first = 'data: {"choices":[{"text":"Hi"}]}\n\n'
        upstream.script({"headers": SSE, "steps": [{"send": first}, {"stall": True}]}, path=f"/{endpoint}")

        response = send(pool, endpoint, pool.key(), stream=True)
        assert response.raw.read(len(first))
        response.close()

        (row,) = pool.wait_for_rows(1)
        assert (row["status"], row["error"]) == (499, "client_gone")
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)


class TestStatusAndType:
    def test_no_content_passes_as_such(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        upstream.script(
            {"status": 204, "framing": "length", "headers": {"content-length": "0"}}, path="/embeddings"
        )

        response = send(pool, "embeddings", pool.key())

        assert (response.status_code, response.content) == (204, b"")
        assert pool.wait_for_rows(1)[0]["status"] == 200

    def test_status_of_a_success_passes(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        upstream.script({"play": "json", "body": COMPLETE, "status": 201}, path="/embeddings")

        assert send(pool, "embeddings", pool.key()).status_code == 201

    def test_page_is_not_a_response(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """It is a proxy's or a login page: another account may still answer."""
        for name in ("a", "b"):
            pool.account(name, upstream.base_url(name))
        page = {"headers": {"content-type": "text/html; charset=utf-8"}, "steps": [{"send": "<script>"}]}
        upstream.script(page, {"play": "json", "body": COMPLETE}, path="/embeddings")

        assert send(pool, "embeddings", pool.key()).json() == COMPLETE
        upstream.script(page, path="/moderations")
        refused = send(pool, "moderations", pool.key("other"))
        assert (refused.status_code, error_of(refused)["code"]) == (502, "upstream_protocol_error")

    @pytest.mark.parametrize(
        ("sent", "given"),
        [
            ("image/svg+xml", "application/octet-stream"),
            ("application/javascript", "application/octet-stream"),
            ("audio/mpeg", "audio/mpeg"),
            ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ],
    )
    def test_what_a_browser_could_run_gets_a_neutral_type(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, sent: str, given: str
    ) -> None:
        pool.account("a", upstream.base_url())
        upstream.script({"headers": {"content-type": sent}, "steps": [{"send": "x"}]}, path="/audio/speech")

        response = send(pool, "audio/speech", pool.key())

        assert (response.headers["content-type"], response.content) == (given, b"x")
        assert response.headers["x-content-type-options"] == "nosniff"
