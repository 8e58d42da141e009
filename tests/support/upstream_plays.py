"""
Plays with a name, spelled out for the request at hand.

    answer          the response of `app.demo`; the play of an upstream without a script
    text            text
    tool_call       name, arguments; or calls: [{name, arguments}, …]; text
    reasoning       summary, text
    refusal         text
    incomplete      text: cut by the token limit
    error_in_stream text, error, after (so many deltas), form: failed | error | nested
    events          events: [payload, …] sent as they are; done: whether [DONE] follows
    http_error      status, body
    json            status, body
    image           what `upstream_images` knows: the image tool of the ChatGPT backend
    strict          server, steps: `strict.servers`, which keep to their vendors' rules
    fitting         plays: {chat | responses | "": {whole: play, streamed: play}}, by wire and `stream`

A text not given is "Hello from <account>.". All but the last three also take what
`upstream_stream` knows: `deltas`, `usage` and `at`.
`chat_text`, `responses_text` and so on force the wire; otherwise the path decides.
`headers`, `framing`, `before` and `afterwards` pass through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson

from app.demo.errors import HttpError
from app.demo.request import DemoRequest, parse_chat_request, parse_responses_request
from app.demo.responder import Call, DemoResponse, Pieces, Usage, pieces, respond
from tests.support import upstream_stream as stream
from tests.support.strict.servers import strict_play
from tests.support.upstream_images import image_events, tool_fault
from tests.support.upstream_log import Seen

Json = dict[str, Any]

PASSED_ON = ("before", "framing", "afterwards")
MODELS = ("gpt-4.1", "gpt-5.2")
# What the ChatGPT backend requires and refuses; tests of that account kind depend on it.
CODEX_REQUIRED = (
    ("stream", True, "Stream must be set to true"),
    ("store", False, "Store must be set to false"),
)
CODEX_REFUSES = (
    "max_output_tokens",
    "metadata",
    "previous_response_id",
    "safety_identifier",
    "temperature",
    "top_p",
    "truncation",
    "user",
)


def checked(play: Json) -> Json:
    """Return *play*. Raises HttpError 400 if its name is unknown."""
    name = _split(play, "")[1]
    if "play" in play and name not in (*RESPONSES, *PLAIN, "fitting", "image", "strict"):
        raise HttpError(400, f"no play is called {play['play']!r}")
    return play


def expanded(play: Json, seen: Seen) -> Json:
    """Return *play* with its status, headers and steps, if it has only a name."""
    if "play" not in play:
        return play
    wire, name = _split(play, _wire(seen.path))
    if name == "fitting":
        streamed = (seen.body or {}).get("stream") is True
        return expanded(play["plays"][wire]["streamed" if streamed else "whole"], seen)
    if name == "strict" and wire:
        return strict_play(play, seen.body or {})
    try:
        if name == "image":
            made = _image(play, seen)
        else:
            made = PLAIN[name](play, wire) if name in PLAIN else _model_call(name, wire, play, seen)
    except HttpError as error:
        made = json_play(error.status, error.envelope)
    passed_on = {key: play[key] for key in PASSED_ON if key in play}
    return {**made, **passed_on, "headers": {**made["headers"], **play.get("headers", {})}}


def json_play(status: int, body: Any) -> Json:
    """Return the play of a complete body: an object, or text unchanged."""
    text = body if isinstance(body, str) else orjson.dumps(body).decode()
    headers = {"content-type": "application/json"}
    return {"status": status, "headers": headers, "framing": "length", "steps": [{"send": text}]}


def _model_call(name: str, wire: str, play: Json, seen: Seen) -> Json:
    if not wire:
        return _unscripted(seen)
    body = seen.body or {}
    if seen.path.endswith("/codex/responses") and (fault := _codex_fault(body)):
        return json_play(400, {"detail": fault})
    requested = parse_chat_request(body) if wire == "chat" else parse_responses_request(body)
    text = _cut(play.get("text", f"Hello from {seen.account.rpartition('.')[2]}."), play)
    demo_response = RESPONSES[name](play, requested, text)
    if name != "answer" or play.get("usage"):
        demo_response = replace(
            demo_response, usage=_usage(demo_response, requested, play.get("usage") or {})
        )
    if body.get("stream") is True:
        return stream.play(wire, body, demo_response, play)
    if name == "error_in_stream":
        return json_play(500, {"error": stream.error(play)})
    made = json_play(200, stream.complete(wire, body, demo_response, play))
    made["steps"][0]["bill"] = stream.bill(demo_response.usage)
    return made


def _image(play: Json, seen: Seen) -> Json:
    body = seen.body or {}
    if fault := _codex_fault(body) or tool_fault(body):
        return json_play(400, {"detail": fault})
    made = stream.events_play("responses", image_events(play, body), False)
    if "gate" in play:
        made["steps"].insert(play["gate_after"], {"gate": play["gate"]})
    return made


def _unscripted(seen: Seen) -> Json:
    if seen.method == "GET" and seen.path.endswith("/models"):
        data = [{"id": name, "object": "model", "created": 0, "owned_by": seen.account} for name in MODELS]
        return json_play(200, {"object": "list", "data": data})
    raise HttpError(404, f"Invalid URL ({seen.method} {seen.path})")


def _codex_fault(body: Json) -> str | None:
    for name, expected, fault in CODEX_REQUIRED:
        if body.get(name) is not expected:
            return fault
    if not isinstance(body.get("instructions"), str):
        return "Instructions are required"
    refused = [name for name in CODEX_REFUSES if name in body]
    return f"Unsupported parameter: {refused[0]}" if refused else None


def _usage(demo_response: DemoResponse, requested: DemoRequest, given: Json) -> Usage:
    thought = len(demo_response.reasoning)
    produced = (
        len(demo_response.text)
        + len(demo_response.refusal)
        + sum(len(call.arguments) for call in demo_response.calls)
    )
    counted = {
        "input_tokens": requested.input_tokens,
        "output_tokens": (thought + produced) * requested.choices,
        "reasoning_tokens": thought * requested.choices,
    }
    return Usage(**{**counted, **given})


def _call(call: Json, play: Json) -> Call:
    arguments = call.get("arguments", {})
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    return Call(call.get("name", "get_weather"), _cut(text, play))


def _cut(text: str, play: Json) -> Pieces:
    """Split *text* into as many deltas as the play specifies, else as `app.demo` does."""
    count = play.get("deltas")
    if count is None:
        return pieces(text)
    places = [len(text) * number // count for number in range(count + 1)]
    return tuple(text[start:end] for start, end in pairwise(places))


def _split(play: Json, wire: str) -> tuple[str, str]:
    """Return (wire, name) of a play: `chat_text` is text on the chat wire."""
    prefix, _, name = play.get("play", "").partition("_")
    return (prefix, name) if prefix in ("chat", "responses") else (wire, play.get("play", ""))


def _wire(path: str) -> str:
    if path.endswith("/chat/completions"):
        return "chat"
    return "responses" if path.endswith("/responses") else ""


RESPONSES: dict[str, Callable[[Json, DemoRequest, Pieces], DemoResponse]] = {
    "answer": lambda play, requested, text: respond(requested),
    "text": lambda play, requested, text: DemoResponse(Usage(0, 0), text=text),
    "error_in_stream": lambda play, requested, text: DemoResponse(Usage(0, 0), text=text),
    "refusal": lambda play, requested, text: DemoResponse(Usage(0, 0), refusal=text),
    "incomplete": lambda play, requested, text: DemoResponse(Usage(0, 0), text=text, cut=True),
    "reasoning": lambda play, requested, text: DemoResponse(
        Usage(0, 0), reasoning=pieces(play.get("summary", "I thought about it.")), text=text
    ),
    "tool_call": lambda play, requested, text: DemoResponse(
        Usage(0, 0),
        text=text if "text" in play else (),
        calls=tuple(_call(call, play) for call in play.get("calls", [play])),
    ),
}
PLAIN: dict[str, Callable[[Json, str], Json]] = {
    "events": lambda play, wire: stream.events_play(wire, play["events"], play.get("done", wire == "chat")),
    "http_error": lambda play, wire: json_play(
        play.get("status", 500), play.get("body", {"error": stream.error(play)})
    ),
    "json": lambda play, wire: json_play(play.get("status", 200), play["body"]),
}
