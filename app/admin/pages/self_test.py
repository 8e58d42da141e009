"""A test request to this gateway, sent as a client would."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import Any

import orjson

TIMEOUT_SECONDS = 60.0
MAX_MESSAGE_CHARS = 400
LISTENS_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


@dataclass(frozen=True, slots=True)
class SelfTestResult:
    """The response to a test request, or the reason it failed."""

    ok: bool
    message: str
    ms: float | None = None


def build_body(model: str) -> bytes:
    """Return the JSON body of a short chat request to *model*."""
    messages = [{"role": "user", "content": "Hello"}]
    return orjson.dumps({"model": model, "messages": messages, "max_completion_tokens": 200})


def run_self_test(bind: str, port: int, key: str, model: str) -> SelfTestResult:
    """Send a chat request with *key* to the gateway on *bind* and *port*, and return the result."""
    connection = http.client.HTTPConnection(LISTENS_EVERYWHERE.get(bind, bind), port, timeout=TIMEOUT_SECONDS)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/v1/chat/completions", build_body(model), headers)
        response = connection.getresponse()
        body = orjson.loads(response.read())
    except (OSError, ValueError, http.client.HTTPException):
        return SelfTestResult(False, "the gateway did not answer in time")
    finally:
        connection.close()
    return _read_result(response.status, body)


def _read_result(status: int, body: Any) -> SelfTestResult:
    try:
        if status == 200:
            return SelfTestResult(
                True, str(body["choices"][0]["message"]["content"] or "an empty message")[:MAX_MESSAGE_CHARS]
            )
        return SelfTestResult(False, f"status {status}: {body['error']['message']}"[:MAX_MESSAGE_CHARS])
    except (KeyError, IndexError, TypeError):
        return SelfTestResult(False, f"status {status} with an unreadable body")
