"""A careful client: it shows nothing as a response that did not end as one."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]

PATH = "/v1/chat/completions"


@dataclass(slots=True)
class Result:
    outcome: str = "success"  # or `error`, `hang`
    text: str = ""
    model: str = ""
    usage: bool = False
    error: str = ""
    seconds: float = 0.0


def call(url: str, key: str, body: Json, hang_seconds: float) -> Result:
    """Send one chat request and read its response to the end; later than *hang_seconds* is a hang."""
    began, result = time.monotonic(), Result()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=hang_seconds)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        connection.request("POST", PATH, json.dumps(body), headers)
        response = connection.getresponse()
        if response.status != 200:
            _fail(result, f"{response.status} {json.loads(response.read())['error']['code']}")
        elif body.get("stream"):
            _read_stream(response, result)
        else:
            _read_object(json.loads(response.read()), result)
    except TimeoutError:
        result.outcome, result.error = "hang", "no end in time"
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        _fail(result, type(error).__name__)
    finally:
        connection.close()
    result.seconds = time.monotonic() - began
    if result.seconds > hang_seconds:
        result.outcome = "hang"
    return result


def _fail(result: Result, error: str) -> None:
    result.outcome, result.error = "error", error


def _read_object(body: Json, result: Result) -> None:
    result.text = body["choices"][0]["message"]["content"]
    result.model, result.usage = body["model"], bool(body.get("usage"))


def _read_stream(response: http.client.HTTPResponse, result: Result) -> None:
    """Any end without an error counts as a response: its text has to be complete."""
    for line in response:
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or data == b"[DONE]":
            continue
        event = json.loads(data)
        if "error" in event:
            return _fail(result, str(event["error"]["code"]))
        result.model = event.get("model") or result.model
        result.usage = result.usage or bool(event.get("usage"))
        for choice in event["choices"]:
            result.text += choice["delta"].get("content") or ""
    return None
