"""Cases about what upstreams answer: status, headers, bodies, events and their framing, usage and its end."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.calls import endpoint_of
from tests.fuzz.case import ANNOUNCED, Call, Case, Json, Play
from tests.fuzz.ordinary import (
    CHAT_EVENTS,
    CHAT_UNSTREAMED,
    COMPLETE,
    EVENTS,
    HONEST,
    INPUT_BILL,
    JSON,
    LARGE_BILL,
    LENGTH,
    OTHER,
    PRICED,
    SSE,
    frame,
    streamed,
)
from tests.fuzz.values import odd, text_of, written

PATHS = (
    *("/v1/chat/completions", "/v1/responses") * 4,
    *("/openai/v1/chat/completions", "/api/v1/openai/chat/completions", "/backend-api/codex/responses"),
    *("/v1/embeddings", "/v1/completions", "/v1/responses/compact", "/v1/moderations"),
)
KINDS = ("openai", "chatgpt", "chat", "responses")
STATUSES = (
    *(201, 202, 203, 204, 205, 206, 226, 299, 300, 301, 302, 304, 307, 308),
    *(
        400,
        401,
        402,
        403,
        404,
        405,
        406,
        408,
        409,
        410,
        413,
        415,
        418,
        422,
        424,
        425,
        429,
        429,
        429,
        431,
        451,
        498,
    ),
    *(499, 500, 501, 502, 503, 504, 507, 520, 524, 529, 530, 598, 599, 600, 999),
)
WAITS = (
    *("0", "1", "-1", "1.5", "1e306", "1e999", "NaN", "Infinity", "9" * 400, "9223372036854775808", ""),
    *(
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Mon, 99 Foo 2026",
        "soon",
        "0x10",
        "\xb2",
    ),
)
HEADERS = (
    *(
        "retry-after",
        "retry-after-ms",
        "date",
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
    ),
    *("x-ratelimit-reset-requests", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    *("x-codex-primary-used-percent", "x-codex-primary-reset-at", "x-codex-primary-reset-after-seconds"),
    *("x-codex-primary-window-minutes", "x-codex-secondary-used-percent", "x-codex-secondary-reset-at"),
    *("x-codex-credits-balance", "x-codex-credits-has-credits", "x-codex-active-limit", "x-codex-turn-state"),
    *("x-request-id", "openai-processing-ms", "openai-model", "location", "set-cookie", "x-should-retry"),
)
TYPES = (
    "text/html",
    "application/json",
    "text/event-stream",
    "text/plain; charset=utf-16",
    "",
    "x" * 300,
    "a;;b",
)
ENCODINGS = ("gzip", "br", "zstd", "deflate", "identity", "x", "gzip, gzip", "gzip" + ", gzip" * 300)
CODES = (
    *(
        "fuzz_error",
        "rate_limit_exceeded",
        "insufficient_quota",
        "model_not_found",
        "context_length_exceeded",
    ),
    *("overloaded_error", "slow_down", "usage_limit_reached", "invalid_prompt", "content_filter", "", "1113"),
)
MESSAGES = (
    *("Odd.", "Please try again in 1e999s", "Please try again in 99999999999999999999d", "try again in 0ms"),
    *("The model `m` does not exist", "Rate limit reached for m", "<b>odd</b>", "", "x" * 70_000, "\0\u202e"),
)

Steps = list[Json]
Change = Callable[[Random, Json], None]


def response_case(name: str, chance: Random) -> Case:
    kinds = tuple(chance.choice(KINDS) for _ in range(chance.choice((1, 1, 2))))
    path = chance.choice(PATHS)
    requested = [_call(chance, path) for _ in range(chance.randrange(1, 4))]
    plays = tuple(_play(chance, kinds[0], call) for call in requested)
    key = chance.choice(("none", "strict", "strict", "balanced"))
    nonsense = not any(play.title == "401" for play in plays)
    return Case(
        name, kinds, key, tuple(requested), plays, budget=chance.choice((300, 600, 5000)), nonsense=nonsense
    )


def _call(chance: Random, path: str) -> Call:
    endpoint, model = endpoint_of(path), chance.choice(("m", "m2", *PRICED))
    if endpoint == "chat":
        body: Json = {"messages": [{"role": "user", "content": "Hello there"}], "max_tokens": LENGTH}
    elif endpoint:
        body = {"input": [{"role": "user", "content": "Hello there"}], "max_output_tokens": LENGTH}
    else:
        body = {"input": "Hello there", "prompt": "Hello there", "max_tokens": LENGTH}
    if path.startswith("/backend-api"):
        del body["max_output_tokens"]
        body |= {"instructions": "", "store": False, "stream": True}
    elif chance.random() < 0.6:
        body["stream"] = True
    if endpoint == "chat" and chance.random() < 0.5:
        body["stream_options"] = {"include_usage": True}
    data = json.dumps({"model": model, **body}).encode()
    return Call("POST", path, {"content-type": "application/json"}, data, chance.random() < 0.1, endpoint)


def _play(chance: Random, kind: str, call: Call) -> Play:
    """Return what the first account plays to *call*: honest, or with up to three things wrong with it."""
    if chance.random() < 0.15:
        return Play(HONEST, "honest")
    wire = _wire(kind, call)
    stream = bool(json.loads(call.body).get("stream")) or kind == "chatgpt"
    if chance.random() < 0.3:
        return rejected(chance)
    if chance.random() < 0.1:
        stream = not stream
    play = _streamed(chance, wire) if stream and wire else _complete(chance, wire)
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        chance.choice(HTTP_CHANGES)(chance, play)
    return Play(play, "odd")


def _wire(kind: str, call: Call) -> str:
    if not call.endpoint:
        return ""
    return {"openai": call.endpoint, "chatgpt": "responses", "chat": "chat", "responses": "responses"}[kind]


def rejected(chance: Random) -> Play:
    """Return an error response."""
    status = chance.choice(STATUSES)
    error: Json = {
        "message": chance.choice(MESSAGES),
        "type": chance.choice(CODES),
        "code": chance.choice(CODES),
    }
    error |= {"param": None, "resets_at": 1, "resets_in_seconds": 2, "plan_type": "pro"}
    kind = chance.randrange(6)
    if kind < 3:
        body = written({"error": error}, chance, kind)
    elif kind == 3:
        body = written({"detail": {**error, "msg": "Odd."}}, chance, 1)
    elif kind == 4:
        body = chance.choice(("", "<html><title>Odd</title></html>", "odd", "\ufeff{}", "[", "null", '"odd"'))
    else:
        body = odd(chance)
    play: Json = {"status": status, "headers": dict(JSON), "framing": "length"}
    play["steps"] = [send(body)]
    for _ in range(chance.randrange(3)):
        _odd_header(chance, play)
    if chance.random() < 0.2:
        chance.choice(HTTP_CHANGES)(chance, play)
    return Play(play, str(status))


def _complete(chance: Random, wire: str) -> Json:
    body = {"chat": CHAT_UNSTREAMED, "responses": COMPLETE, "": OTHER}[wire]
    kind, bill = chance.randrange(5), LARGE_BILL if wire else INPUT_BILL
    if kind == 0:
        text = written(_with_odd_usage(body, chance), chance, 0)
    elif kind == 1:
        text = written({**body, "error": {"message": "Odd.", "code": chance.choice(CODES)}}, chance, 1)
        bill = {}
    elif kind == 2:
        text = odd(chance)
    else:
        text = written(body, chance, chance.randrange(1, 4))
    return {
        "status": 200,
        "headers": dict(JSON),
        "framing": "length",
        "steps": [{**send(text), "bill": bill}],
    }


def _with_odd_usage(body: Json, chance: Random) -> Json:
    """Return *body* with a usage in which one to three numbers are odd."""
    copy = json.loads(json.dumps(body))
    holder = copy.get("response", copy)
    for _ in range(chance.randrange(1, 4)):
        usage = holder.get("usage")
        if not isinstance(usage, dict) or chance.random() < 0.1:
            holder["usage"] = _value(chance)
            break
        name = chance.choice(list(usage))
        if isinstance(usage[name], dict) and chance.random() < 0.7:
            usage[name][chance.choice(list(usage[name]) or ["x"])] = _value(chance)
        else:
            usage[name] = _value(chance)
    return copy


def _value(chance: Random) -> Any:
    while True:
        try:
            return json.loads(odd(chance, 2, strict=True))
        except (ValueError, RecursionError):
            continue


def _streamed(chance: Random, wire: str) -> Json:
    events: list[Any] = list(CHAT_EVENTS if wire == "chat" else EVENTS)
    texts, bill = [frame(event) for event in events], LARGE_BILL
    for _ in range(chance.randrange(3)):
        place = chance.randrange(len(texts))
        event = events[min(place, len(events) - 1)]
        kind = chance.randrange(8)
        if kind == 0:
            texts[place] = frame(_with_odd_usage(event, chance) if isinstance(event, dict) else event)
        elif kind < 3 and isinstance(event, dict):
            texts[place] = f"data: {written(event, chance, chance.randrange(1, 3))}\n\n"
        elif kind == 3:
            texts[place:place] = [f"data: {odd(chance)}\n\n"]
        elif kind == 4:
            texts[place:place], bill = [_error_event(chance)], {}  # what was refused at once costs nothing
        elif kind == 5:
            del texts[place]
        elif kind == 6:
            texts[place:place] = [texts[place]]
        else:
            texts[place] = _reframed(texts[place], chance)
    play = streamed(events)
    play["headers"] = dict(SSE)
    play["steps"] = [send(text) for text in texts] or [send("")]
    play["steps"][0]["bill"] = bill
    if chance.random() < 0.3:
        _interrupt(chance, play["steps"])
    return play


def _error_event(chance: Random) -> str:
    error = {"message": chance.choice(MESSAGES), "type": "odd", "code": chance.choice(CODES)}
    events = [
        {"error": error},
        {"type": "error", **error, "code": error["code"], "param": None},
        {"type": "error", "error": error},
        {"type": "response.failed", "response": {"id": "r", "status": "failed", "error": error}},
        {"type": "response.incomplete", "response": {"id": "r", "status": "incomplete", "output": []}},
    ]
    return f"data: {written(chance.choice(events), chance, chance.randrange(2))}\n\n"


def _reframed(text: str, chance: Random) -> str:
    return chance.choice(
        (
            text.replace("\n", "\r\n"),
            text.replace("\n", "\r"),
            "\ufeff" + text,
            ": " + "x" * 300 + "\n" + text,
            "retry: 1e308\nid: \0\n" + text,
            "event: " + "e" * 5000 + "\n" + text,
            text.replace("data: ", "data:"),
            text.replace(", ", ",\ndata: ", 1),
            text[:-1],
            text.rstrip(),
            "data\n\n" + text,
            "data: \n\n" * 50 + text,
            "odd: 1\n" * 100 + text,
        )
    )


def _interrupt(chance: Random, steps: Steps) -> None:
    """Put a pause, a stall or an end somewhere."""
    what: Json = chance.choice(
        ({"sleep": 0.05}, {"stall": True}, {"close": True}, {"reset": True}, {"end": True})
    )
    steps.insert(chance.randrange(1, len(steps) + 1), dict(what))


def _odd_header(chance: Random, play: Json) -> None:
    name = chance.choice(HEADERS)
    value = chance.choice(WAITS) if chance.random() < 0.7 else (text_of(odd(chance)) or odd(chance))
    play["headers"][name] = _header_value(value)


def _header_value(value: str) -> str:
    text = value.encode("latin-1", "replace").decode("latin-1")
    return "".join(each for each in text if each not in "\r\n\0")[:8000]


def _split(chance: Random, play: Json) -> None:
    for step in play["steps"]:
        if {"send", "send_b64"} & step.keys():
            step["by"] = chance.choice((1, 3, 7, 1000))


def _odd_type(chance: Random, play: Json) -> None:
    play["headers"]["content-type"] = chance.choice(TYPES)


def _odd_encoding(chance: Random, play: Json) -> None:
    play["headers"]["content-encoding"] = chance.choice(ENCODINGS)


def _packed(chance: Random, play: Json) -> None:
    """Compress the body, and perhaps cut it."""
    data = b"".join(_data(step) for step in play["steps"])
    packed = gzip.compress(data)
    if chance.random() < 0.4:
        packed = packed[: chance.randrange(len(packed))]
    play["headers"]["content-encoding"] = "gzip"
    bill = play["steps"][0].get("bill", {}) if play["steps"] else {}
    play["steps"] = [{"send_b64": base64.b64encode(packed).decode(), "bill": bill}]


def _misframed(chance: Random, play: Json) -> None:
    play["framing"] = chance.choice(("length", "close", "chunked"))
    if chance.random() < 0.5:
        play["headers"]["content-length"] = chance.choice(("0", "1", ANNOUNCED, "-1", "x", "5, 5", "1e3"))


def _rubbish(chance: Random, play: Json) -> None:
    data = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 80)))
    step = {chance.choice(("send_b64", "raw_b64")): base64.b64encode(data).decode()}
    play["steps"].insert(chance.randrange(len(play["steps"]) + 1), step)


def _before(chance: Random, play: Json) -> None:
    before = chance.choice(
        (
            {"reset": True},
            {"close": True},
            {"raw": "HTTP/1.1 100 Continue\r\n\r\n"},
            {"raw": "\r\n"},
            {"raw": "SSH-2.0\r\n"},
        )
    )
    play["before"] = [dict(before)]


def _afterwards(chance: Random, play: Json) -> None:
    play["afterwards"] = [dict(chance.choice(({"raw": "odd"}, {"reset": True}, {"close": True})))]


HTTP_CHANGES: tuple[Change, ...] = (
    *(_odd_header, _odd_header, _odd_header, _split, _split, _odd_type, _odd_encoding),
    *(_packed, _misframed, _rubbish, _before, _afterwards),
)


def send(text: str) -> Json:
    """Return the step that sends *text*."""
    data = text.encode("utf-8", "surrogatepass")
    return {"send_b64": base64.b64encode(data).decode()}


def _data(step: Json) -> bytes:
    if "send" in step:
        return str(step["send"]).encode()
    return base64.b64decode(step.get("send_b64", ""))
