"""
Log lines for people: the time of this machine, level, event and fields, with names in place of ids.

    16:35:21 info    request_ended  200 POST /v1/chat/completions key=ann account=main model=gpt-5.5 …
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from app.formatting import count, dollars

MAX_VALUE_CHARS = 200
REQUEST = "request_ended"
NAMED = ("key", "account")  # fields with ids; `<field>_name` has the name, if known
NAMES = frozenset(f"{field}_name" for field in NAMED)
DIM, RED, YELLOW, GREEN, RESET = "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[0m"
LEVEL_COLOURS = {"debug": DIM, "info": GREEN, "warning": YELLOW, "error": RED, "critical": RED}
# Fields of a request that its line shows as they are; the others are for programs, or shown in words.
SHOWN = ("transport", "replayed", "key", "team", "account", "model", "code", "error")
Fields = Mapping[str, Any]


def render(fields: Fields, has_colours: bool) -> str:
    """Return the line of *fields*, which have `event`, `level` and `timestamp` as in JSON."""
    at = datetime.fromisoformat(fields["timestamp"]).astimezone()
    level, event = fields["level"], fields["event"]
    rest = {name: value for name, value in fields.items() if name not in ("event", "level", "timestamp")}
    message = rest.pop("message", None)  # a message of a library; then the event is the library's name
    words = _request_words(rest) if event == REQUEST else _pairs(rest)
    title = f"{event}: {_safe(message)}" if message is not None else event
    paint = _colour if has_colours else _plain
    parts = (paint(f"{at:%H:%M:%S}", DIM), paint(f"{level:<7}", LEVEL_COLOURS.get(level, "")), title, *words)
    return " ".join(parts)


def _request_words(fields: Fields) -> Iterator[str]:
    """Yield a request's status and address, its usage, and the id that `poolgate request explain` takes."""
    yield f"{fields['status']} {fields['method']} {fields['endpoint']}"
    yield from _pairs({name: fields[name] for name in (*SHOWN, *NAMES) if name in fields})
    if "asked" in fields:
        yield f"requested={_safe(fields['asked'])}"
    if "input_tokens" in fields:
        yield f"{count(fields['input_tokens'])}+{count(fields.get('output_tokens') or 0)} tokens"
        if "counted_by" in fields:
            yield "(estimated)"
    if fields.get("cost"):
        yield dollars(fields["cost"])
    yield f"{count(fields['total_ms'])} ms"
    if fields.get("queued_ms"):
        yield f"({count(fields['queued_ms'])} ms in the queue)"
    if (attempts := fields.get("attempts", 1)) != 1:
        yield f"attempts={attempts}"
    if "outcome" in fields and fields["outcome"] != fields["status"]:
        yield f"outcome={fields['outcome']}"
    if request_id := fields.get("poolgate_request_id"):
        yield f"id={_safe(request_id)}"
    elif fields["status"] >= 400:
        yield f"x-request-id={_safe(fields.get('request_id'))}"


def _pairs(fields: Fields) -> Iterator[str]:
    for name, value in fields.items():
        if name in NAMES:
            continue
        if name in NAMED:
            value = fields.get(f"{name}_name") or value
        if value not in (None, "", [], {}, ()):
            yield f"{name}={_safe(value)}"


def _safe(value: Any) -> str:
    """Return *value* on one line, shortened, and with control characters escaped: it may be a client's."""
    text = value if isinstance(value, str) else json.dumps(value, default=lambda other: type(other).__name__)
    text = text if len(text) <= MAX_VALUE_CHARS else text[:MAX_VALUE_CHARS] + "…"
    return text if text.isprintable() else json.dumps(text)


def _colour(text: str, colour: str) -> str:
    return f"{colour}{text}{RESET}" if colour else text


def _plain(text: str, colour: str) -> str:
    return text
