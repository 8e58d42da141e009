"""
What one client heard, read strictly and without the gateway's own code.

`ask` fetches the bytes, `understood` interprets them as a client of the protocol does.
Sources: https://platform.openai.com/docs/api-reference/chat-streaming and
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.faults.responses import PATHS, Json

DELTAS = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "text",
    "response.function_call_arguments.delta": "calls",
    "response.reasoning_summary_text.delta": "thoughts",
    "response.reasoning_text.delta": "thoughts",
}
ENDS = ("response.completed", "response.incomplete", "response.failed", "error")


@dataclass(slots=True)
class Heard:
    """The bytes of one response. Times are Unix seconds; `whole` is true if the framing ended properly."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_complete: bool = False
    requested_at: float = 0.0
    ended_at: float = 0.0

    @property
    def seconds(self) -> float:
        return self.ended_at - self.requested_at


@dataclass(slots=True)
class Meaning:
    """`faults` are breaches of the wire itself, which no upstream excuses."""

    text: str = ""
    calls: str = ""
    thoughts: str = ""
    finished: bool = False  # it claims to be the complete response
    error: str | None = None  # the code it failed with
    faults: list[str] = field(default_factory=list)

    @property
    def output(self) -> tuple[str, str, str]:
        return self.text, self.calls, self.thoughts


def send_request(url: str, endpoint: str, body: Json, key: str, timeout_seconds: float) -> Heard:
    """Send one request and read its response to whatever end it has."""
    heard = Heard(requested_at=time.time())
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout_seconds)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        connection.request("POST", PATHS[endpoint], json.dumps(body), headers)
        response = connection.getresponse()
        heard.status = response.status
        heard.headers = {name.lower(): value for name, value in response.getheaders()}
        while data := response.read1(65536):
            heard.body += data
        heard.is_complete = (
            not response.length
        )  # what is left of the announced length; read1 does not report that
    except http.client.IncompleteRead as error:
        heard.body += error.partial
    except (OSError, http.client.HTTPException):
        pass  # `whole` stays false
    finally:
        connection.close()
        heard.ended_at = time.time()
    return heard


def understood(endpoint: str, heard: Heard) -> Meaning:
    meaning = Meaning()
    if not heard.is_complete:
        meaning.faults.append("the connection broke" if heard.status else "no answer")
    if heard.headers.get("content-type", "").startswith("text/event-stream"):
        read = {"chat": _chat_stream, "responses": _responses_stream}[endpoint]
        read(_events(heard.body, meaning), meaning)
    elif heard.body:
        _object(endpoint, heard, meaning)
    if meaning.finished == (meaning.error is not None):
        meaning.faults.append("finished and failed" if meaning.finished else "neither finished nor failed")
    return meaning


def _events(body: bytes, meaning: Meaning) -> list[Any]:
    """Return the data of every event, `[DONE]` as None."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        meaning.faults.append("not UTF-8")
        return []
    *blocks, rest = text.split("\n\n")
    if rest:
        meaning.faults.append("cut inside an event")
    lines = [line for block in blocks for line in block.split("\n")]
    datas = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [None if data == "[DONE]" else json.loads(data) for data in datas]


def _chat_stream(events: list[Any], meaning: Meaning) -> None:
    if not events or events[-1] is not None or events.count(None) != 1:
        meaning.faults.append("[DONE] is not its one last event")
    for event in filter(None, events):
        if meaning.error:
            meaning.faults.append("events after its error")
        if "error" in event:
            meaning.error = str(event["error"]["code"])
        for choice in event.get("choices", ()):
            _choice(choice["delta"], meaning)
            if choice["finish_reason"]:
                meaning.finished = True


def _choice(delta: Json, meaning: Meaning) -> None:
    if meaning.finished and any(value for key, value in delta.items() if key != "role"):
        meaning.faults.append("sent more after it had finished")
    meaning.text += (delta.get("content") or "") + (delta.get("refusal") or "")
    meaning.thoughts += delta.get("reasoning_content") or delta.get("reasoning") or ""
    for call in delta.get("tool_calls") or ():
        meaning.calls += call.get("function", {}).get("arguments") or ""


def _responses_stream(events: list[Any], meaning: Meaning) -> None:
    ends = [event for event in events if event is None or event.get("type") in ENDS]
    if len(ends) != 1 or ends[0] is not events[-1] or ends[0] is None:
        meaning.faults.append("its one terminal event is not the last")
    counted = [
        event for event in events if event and event.get("type") != "keepalive"
    ]  # it repeats the last one
    numbers = [event["sequence_number"] for event in counted if "sequence_number" in event]
    if numbers != sorted(set(numbers)):
        meaning.faults.append("sequence numbers do not rise")
    for event in filter(None, events):
        if name := DELTAS.get(event.get("type")):
            setattr(meaning, name, getattr(meaning, name) + event["delta"])
        elif event.get("type") in ENDS:
            _response_ended(event, meaning)


def _response_ended(event: Json, meaning: Meaning) -> None:
    response = event.get("response", event)
    if event["type"] in ("response.failed", "error"):
        meaning.error = str((response.get("error") or {}).get("code"))
        return
    meaning.finished = True
    reply = Meaning()
    _output(response, reply)
    if reply.output != meaning.output:
        meaning.faults.append("the response differs from its deltas")


def _object(endpoint: str, heard: Heard, meaning: Meaning) -> None:
    body = json.loads(heard.body)
    if heard.status != 200:
        error = body["error"]
        meaning.error = str(error["code"])
        if not (error["message"] and error["type"]):
            meaning.faults.append("an error without message or type")
    elif endpoint == "chat":
        (choice,) = body["choices"]
        message = choice["message"]
        meaning.finished = bool(choice["finish_reason"])
        _choice({**message, "role": ""}, reply := Meaning())
        meaning.text, meaning.calls, meaning.thoughts = reply.output
    else:
        meaning.finished = body["status"] in ("completed", "incomplete")
        _output(body, meaning)


def _output(response: Json, meaning: Meaning) -> None:
    for item in response["output"]:
        output = "".join(part.get("text") or part.get("refusal") or "" for part in item.get("content") or ())
        if item["type"] == "reasoning":
            meaning.thoughts += output + "".join(part["text"] for part in item.get("summary") or ())
        else:
            meaning.text += output
        meaning.calls += item.get("arguments") or ""
