"""What identifies a repeat, which responses are stored, and what a recording contains."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from flask import Response
from werkzeug.test import EnvironBuilder

from app.api.flask_app import GatewayApplication
from app.api.headers import GatewayRequest
from app.api.idempotency import _digest, _fingerprint, is_stored, record_response
from app.errors import (
    GatewayError,
    IdempotencyKeyReused,
    InvalidRequest,
    NotReplayable,
    StillRunning,
    StoreUnavailable,
    WorkerStopping,
)
from tests.support.api import BEARER, FakeServices

APP = GatewayApplication("test")


class FakeRecorder:
    """Collects what a recorder is given; `is_stored` is None until the end."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.is_stored: bool | None = None

    def add(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def end(self, *, is_stored: bool) -> None:
        self.is_stored = is_stored if self.is_stored is None else self.is_stored

    def release(self) -> None:
        self.end(is_stored=False)


def request(
    value: str = "once", path: str = "/v1/chat/completions", content_type: str = "application/json"
) -> GatewayRequest:
    environ = EnvironBuilder(path, method="POST", headers=[("Idempotency-Key", value)]).get_environ()
    environ["CONTENT_TYPE"] = content_type
    return GatewayRequest(environ)


class TestIdentity:
    def test_it_is_of_a_key_an_endpoint_and_a_value(self) -> None:
        digests = [
            _digest(request(), "k"),
            _digest(request(), "other"),
            _digest(request("twice"), "k"),
            _digest(request(path="/v1/responses"), "k"),
        ]

        assert len(set(digests)) == 4
        assert _digest(request(path="/v1/chat/completions/"), "k") == digests[0]

    @pytest.mark.parametrize("value", ["", "x" * 256, "\x7f", "ü"])
    def test_values_that_are_refused(self, value: str) -> None:
        with pytest.raises(InvalidRequest) as caught:
            _digest(request(value), "k")

        assert caught.value.param == "Idempotency-Key"

    def test_the_longest_value(self) -> None:
        assert _digest(request("x" * 255), "k")


class TestFingerprint:
    def test_of_json(self) -> None:
        assert _fingerprint(request(), b"{}") == _fingerprint(
            request(content_type="application/json; charset=utf-8"), b"{}"
        )
        assert _fingerprint(request(), b"{}") != _fingerprint(request(), b"{ }")
        assert _fingerprint(request(), b"{}") != _fingerprint(request(content_type="text/plain"), b"{}")

    def test_of_a_form_it_is_without_its_boundary(self) -> None:
        def of(boundary: str, data: bytes) -> str:
            body = b"--%b\r\nX: 1\r\n\r\n%b\r\n--%b--\r\n" % (boundary.encode(), data, boundary.encode())
            return _fingerprint(request(content_type=f"multipart/form-data; boundary={boundary}"), body)

        assert of("one", b"data") == of("another", b"data")
        assert of("one", b"data") != of("one", b"other")

    def test_of_a_large_body(self) -> None:
        large = b"x" * 600_000
        assert _fingerprint(request(), large) != _fingerprint(request(), large + b"x")


class TestRefusals:
    """If the key cannot be claimed nothing is sent: a request without a claim could run twice."""

    @pytest.mark.parametrize(
        ("error", "status", "code"),
        [
            (StoreUnavailable("away"), 503, "store_unavailable"),
            (IdempotencyKeyReused("used"), 422, "idempotency_key_reused"),
            (StillRunning("running", retry_after_seconds=1), 409, "idempotency_request_running"),
            (NotReplayable("large"), 409, "idempotency_response_not_stored"),
        ],
    )
    def test_the_request_does_not_run(self, error: GatewayError, status: int, code: str) -> None:
        def claim(*_: Any) -> None:
            raise error

        services = FakeServices()
        services.recordings = SimpleNamespace(claim=claim)  # type: ignore[attr-defined]

        response = services.client().post(
            "/v1/chat/completions", json={}, headers={**BEARER, "Idempotency-Key": "once"}
        )

        assert response.json is not None
        assert (response.status_code, response.json["error"]["code"]) == (status, code)
        assert response.headers.get("x-should-retry") == (None if error.retryable else "false")
        assert services.contexts == []


def chain(row: dict[str, Any] | None, *, has_delivered: bool = False) -> Any:
    request = SimpleNamespace(model="gpt-5", requested_model="fast")
    context = SimpleNamespace(request=request)
    return SimpleNamespace(ledger_row=row, has_delivered=has_delivered, context=context)


@pytest.mark.parametrize(
    ("row", "has_delivered", "expected"),
    [
        ({"status": 200}, True, True),
        (None, False, False),
        (None, True, True),
        ({"status": 502, "error": "stream_incomplete"}, True, True),
        ({"status": 502, "error": "stream_incomplete"}, False, False),
        ({"status": 503, "error": WorkerStopping.code}, True, False),
    ],
    ids=[
        "complete",
        "refused",
        "then refused",
        "broken off",
        "nothing but comments",
        "stopped by us",
    ],
)
def test_what_is_stored(row: dict[str, Any] | None, has_delivered: bool, expected: bool) -> None:
    assert is_stored(chain(row, has_delivered=has_delivered)) is expected


class TestRecording:
    def record(self, response: Response) -> FakeRecorder:
        recorder = FakeRecorder()
        record_response(response, recorder, chain({"status": 200}))  # type: ignore[arg-type]
        return recorder

    def test_a_complete_response(self) -> None:
        """The headers are those at the time of sending; what belongs to one request is not in them."""
        response = APP.response_class(b"{}", content_type="application/json")
        recorder = self.record(response)
        for name in ("x-request-id", "Vary", "Access-Control-Allow-Origin", "x-poolgate-account"):
            response.headers[name] = "later"

        assert b"".join(response.iter_encoded()) == b"{}"
        response.close()

        head, body = recorder.pieces
        assert (body, recorder.is_stored) == (b"{}", True)
        assert orjson.loads(head) == {
            "status": 200,
            "model": "gpt-5",
            "requested_model": "fast",
            "headers": [
                ["Content-Type", "application/json"],
                ["Content-Length", "2"],
                ["x-poolgate-account", "later"],
            ],
            "request_id": "later",
            "poolgate_request_id": "",
        }

    def test_what_the_client_did_not_read(self) -> None:
        closed: list[bool] = []

        def pieces() -> Iterator[bytes]:
            try:
                yield from (b"one", b"two", b"three")
            finally:
                closed.append(True)

        response = APP.response_class(pieces())
        recorder = self.record(response)
        assert next(iter(response.response)) == b"one"

        response.close()

        assert (recorder.pieces[1:], recorder.is_stored, closed) == ([b"one", b"two", b"three"], True, [True])

    def test_a_body_that_breaks_off(self) -> None:
        def pieces() -> Iterator[bytes]:
            yield b"one"
            raise ConnectionResetError

        response = APP.response_class(pieces())
        recorder = self.record(response)

        response.close()

        assert recorder.is_stored is False

    def test_an_error(self) -> None:
        recorder = self.record(APP.response_class(b"{}", 400))

        assert (recorder.pieces, recorder.is_stored) == ([], False)
