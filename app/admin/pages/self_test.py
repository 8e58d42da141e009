"""One ordinary request to this gateway, as a client would send it."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import Any

import orjson

PATIENCE_SECONDS = 60.0
MAX_SAID = 400
LISTENS_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


@dataclass(frozen=True, slots=True)
class SelfTestResult:
    ok: bool
    said: str
    ms: float | None = None


def question(model: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_completion_tokens": 200}


def ask(bind: str, port: int, key: str, model: str) -> SelfTestResult:
    """Return what the gateway that listens on *bind* and *port* answers to *key*; nothing is raised."""
    connection = http.client.HTTPConnection(
        LISTENS_EVERYWHERE.get(bind, bind), port, timeout=PATIENCE_SECONDS
    )
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/v1/chat/completions", orjson.dumps(question(model)), headers)
        answer = connection.getresponse()
        body = orjson.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException):
        return SelfTestResult(False, "the gateway did not answer in time")
    finally:
        connection.close()
    return _told(answer.status, body)


def _told(status: int, body: Any) -> SelfTestResult:
    try:
        if status == 200:
            return SelfTestResult(
                True, str(body["choices"][0]["message"]["content"] or "an empty message")[:MAX_SAID]
            )
        return SelfTestResult(False, f"status {status}: {body['error']['message']}"[:MAX_SAID])
    except (KeyError, IndexError, TypeError):
        return SelfTestResult(False, f"status {status} with an unreadable body")
