"""
Turn a response into the steps of a play in one protocol, with the bill of each delta.

A play may want, of any stream:

    deltas   into how many pieces of equal length the text is cut
    usage    {input_tokens, output_tokens, cached_tokens, reasoning_tokens}, each optional;
             None reports none, though it is billed all the same
    at       steps to be put in between: {"start": […], "2": […], "end": […], "usage": […]} stand
             before the first event, before the third delta, before the event that finishes, and
             before the usage, where that comes by itself (chat)

The input is billed with the first event and the output delta by delta, so that the bill of a
stream that was cut contains what had been produced by then.
"""

from __future__ import annotations

import os
import time
from typing import Any

import orjson

from app.demo import chat_format, responses_format
from app.demo.request import parse_chat_request
from app.demo.responder import DemoResponse, Usage

Json = dict[str, Any]

STREAM = {"content-type": "text/event-stream; charset=utf-8"}
DONE = {"send": "data: [DONE]\n\n"}
FINISHES = ("response.completed", "response.incomplete", "response.failed")


def play(wire: str, body: Json, demo_response: DemoResponse, expected: Json) -> Json:
    """Return the play that streams *demo_response* as the response to *body*."""
    events = _reported(_events(wire, body, demo_response), expected)
    done = wire == "chat"
    if expected["play"].endswith("error_in_stream"):
        events = _broken_off(wire, events, expected)
        done = expected.get("done", False)
    steps = _with_bill(wire, events, demo_response.usage)
    return {"headers": STREAM, "steps": _with_between(steps, events, expected) + ([DONE] if done else [])}


def events_play(wire: str, events: list[Json], done: bool) -> Json:
    """Return the play that sends *events* as they are."""
    steps = [{"send": _frame(wire, event)} for event in events]
    return {"headers": STREAM, "steps": steps + ([DONE] if done else [])}


def complete(wire: str, body: Json, demo_response: DemoResponse, expected: Json) -> Json:
    """Return the response object to a request without `stream`."""
    (last,) = _reported(_events(wire, body, demo_response)[-1:], expected)
    payload: Json = last.get("response", last)
    return payload


def bill(used: Usage) -> dict[str, int]:
    return {
        "input_tokens": used.input_tokens,
        "cached_tokens": used.cached_tokens,
        "output_tokens": used.output_tokens,
    }


def error(expected: Json) -> Json:
    made = {"message": "The upstream failed on purpose.", "type": "server_error", "code": "server_error"}
    return {**made, **expected.get("error", {})}


def _events(wire: str, body: Json, demo_response: DemoResponse) -> list[Json]:
    about: Json = {"model": body["model"], "created_at": int(time.time()), "new_id": _new_id}
    if wire == "responses":
        opened = responses_format.initial_response(body, **about)
        return list(responses_format.events(opened, demo_response, new_id=_new_id))
    about["choices"] = parse_chat_request(body).choices
    if body.get("stream") is not True:
        return [chat_format.completion(demo_response, **about)]
    include_usage = (body.get("stream_options") or {}).get("include_usage") is True
    return list(chat_format.chunks(demo_response, **about, include_usage=include_usage))


def _reported(events: list[Json], expected: Json) -> list[Json]:
    """Remove the usage if the play does not report it."""
    if expected.get("usage", {}) is not None:
        return events
    stored = [event for event in events if event.get("choices") != []]
    last = stored[-1]
    if "response" in last:
        stored[-1] = {**last, "response": {**last["response"], "usage": None}}
    elif "usage" in last:
        stored[-1] = {**last, "usage": None}
    return stored


def _broken_off(wire: str, events: list[Json], expected: Json) -> list[Json]:
    deltas = [place for place, event in enumerate(events) if _is_delta(event)]
    after = expected.get("after", 0)
    place = deltas[after] if after < len(deltas) else next(i for i, e in enumerate(events) if _finishes(e))
    fault = error(expected)
    if wire == "chat":
        return [*events[:place], {"error": fault}]
    failure: Json = {
        "failed": {
            "type": "response.failed",
            "response": {**events[0]["response"], "status": "failed", "error": fault},
        },
        "error": {**fault, "param": None, "type": "error"},
        "nested": {"type": "error", "error": fault},
    }[expected.get("form", "failed")]
    return [*events[:place], {**failure, "sequence_number": place}]


def _with_bill(wire: str, events: list[Json], used: Usage) -> list[Json]:
    deltas = sum(map(_is_delta, events))
    steps: list[Json] = []
    billed = 0
    for event in events:
        share = 0
        if _is_delta(event):
            billed += 1
            share = used.output_tokens * billed // deltas - used.output_tokens * (billed - 1) // deltas
        steps.append({"send": _frame(wire, event), "bill": {"output_tokens": share}})
    rest = {"output_tokens": 0} if deltas else {}
    steps[0]["bill"] = {**bill(used), **rest}
    return steps


def _with_between(steps: list[Json], events: list[Json], expected: Json) -> list[Json]:
    between = {str(place): extra for place, extra in expected.get("at", {}).items()}
    result = [*between.get("start", ())]
    deltas = 0
    for step, event in zip(steps, events, strict=True):
        if _is_delta(event):
            result += between.get(str(deltas), ())
            deltas += 1
        elif _finishes(event):
            result += between.pop("end", ())
        elif event.get("choices") == []:
            result += between.get("usage", ())
        result.append(step)
    return result


def _is_delta(event: Json) -> bool:
    """Return whether *event* adds content; openings, roles and announced calls do not."""
    if "choices" not in event:
        return "delta" in event
    deltas = [choice["delta"] for choice in event["choices"]]
    return any(delta and "role" not in delta and not _announces(delta) for delta in deltas)


def _announces(delta: Json) -> bool:
    return any("id" in call for call in delta.get("tool_calls", ()))


def _finishes(event: Json) -> bool:
    if "choices" in event:
        return any(choice["finish_reason"] for choice in event["choices"])
    return event.get("type") in FINISHES or "error" in event


def _frame(wire: str, event: Json) -> str:
    name = f"event: {event['type']}\n" if wire == "responses" else ""
    return f"{name}data: {orjson.dumps(event).decode()}\n\n"


def _new_id(prefix: str) -> str:
    return prefix + os.urandom(12).hex()
