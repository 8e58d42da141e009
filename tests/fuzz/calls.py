"""
Cases about requests: every endpoint and every field of the API document, with values that do not fit.

Addresses and fields come from `/openapi.json`, which is written from the schemas, so a new field is
tried without a word here.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import zstandard

from tests.fuzz.case import Call, Case, Json, Play
from tests.fuzz.ordinary import HONEST, ORDINARY, PRICED
from tests.fuzz.values import WORDS, odd, text_of, written

KINDS = ("openai", "openai", "chatgpt", "chat", "responses")
KEYS = ("none", "strict", "balanced")
BUDGETS = (1, 100, 5_000, 1_000_000, 10_000_000, 10_000_000)
TYPES = (
    *(
        "application/json",
        "application/json; charset=utf-8",
        "text/plain",
        "",
        "application/json; charset=\xff",
    ),
    *(
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "a/b;" + "c" * 2000,
    ),
)
ENCODINGS = ("gzip", "deflate", "zstd", "br", "identity", "gzip, gzip", "x", "gzip" + ", gzip" * 200)
HEADERS = (
    *("accept", "user-agent", "x-request-id", "idempotency-key", "openai-beta", "x-stainless-retry-count"),
    *("session_id", "x-codex-turn-state", "x-codex-turn-metadata", "originator", "version", "cookie"),
    *("x-bf-cache-key", "x-bf-cache-ttl", "traceparent", "x-forwarded-for", "x-api-key", "accept-encoding"),
)
BASIC = "/api/v1/openai/"
BOUNDARY = "fuzz-boundary"


@dataclass(frozen=True, slots=True)
class Operation:
    """*fields*: the paths of all fields of its body, nested ones as `("text", "format")`."""

    method: str
    path: str
    form: bool
    fields: tuple[tuple[str, ...], ...]


def operations(document: Json) -> list[Operation]:
    """Return what the API document describes."""
    found = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            (kind, body) = next(iter(content.items()), ("", {}))
            fields = tuple(_fields(body.get("schema", {}), ()))
            found.append(Operation(method.upper(), path, kind.startswith("multipart"), fields))
    return found


def _fields(schema: Json, place: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, each in schema.get("properties", {}).items():
        yield (*place, name)
        yield from _fields(each, (*place, name))


def request_case(name: str, chance: Random, known: list[Operation]) -> Case:
    kind = chance.choice(KINDS)
    posts = [each for each in known if each.method == "POST"]
    calls = [_call(chance, chance.choice(posts if chance.random() < 0.95 else known)) for _ in range(2)]
    budget = chance.choice(BUDGETS)
    return Case(name, (kind,), chance.choice(KEYS), tuple(calls), (Play(HONEST, "honest"),), budget)


def _call(chance: Random, operation: Operation) -> Call:
    path = operation.path.replace("{model}", chance.choice(("gpt-4o", "m", "%00", "a/b", "x" * 300, "%ff")))
    headers = {"content-type": "application/json"}
    if operation.method == "GET":
        return Call("GET", path, _with_odd_headers(headers, chance))
    if operation.form:
        headers["content-type"], body = _form(chance, operation)
    else:
        body = _body(chance, operation)
    if chance.random() < 0.06:
        headers["content-type"] = chance.choice(TYPES)
    if chance.random() < 0.08:
        headers["content-encoding"], body = _encoded(chance, body)
    return Call("POST", path, _with_odd_headers(headers, chance), body, endpoint=endpoint_of(path))


def endpoint_of(path: str) -> str:
    if path.endswith("/chat/completions"):
        return "chat"
    return "responses" if path.endswith("/responses") else ""


def ordinary_body(chance: Random, path: str) -> Json:
    """Return a body that the endpoint takes."""
    end = max((end for end in ORDINARY if path.endswith(end)), key=len)
    body = json.loads(json.dumps(chance.choice(ORDINARY[end])))
    if chance.random() < 0.5:
        body["model"] = chance.choice(PRICED)
    if path.startswith("/openai/") and chance.random() < 0.5:
        body["model"] = f"openai/{body['model']}"
    if endpoint_of(path) and chance.random() < 0.4:
        body["stream"] = True
    return body


def _body(chance: Random, operation: Operation) -> bytes:
    body = ordinary_body(chance, operation.path)
    kind = chance.random()
    if kind < 0.45:
        text = _with_field(body, chance, operation)
    elif kind < 0.9:
        text = written(body, chance, chance.randrange(1, 4))
    elif kind < 0.95:
        text = odd(chance)
    else:
        return _broken(json.dumps(body).encode(), chance)
    return text.encode("utf-8", "surrogatepass")


def _with_field(body: Json, chance: Random, operation: Operation) -> str:
    """Return *body* with one or two fields of the schema that hold odd values; a name may be there twice."""
    text = json.dumps(body)
    for _ in range(chance.randrange(1, 3)):
        *outer, last = chance.choice(operation.fields) if chance.random() < 0.95 else (chance.choice(WORDS),)
        if not outer and chance.random() < 0.7:
            text = (
                json.dumps({name: value for name, value in json.loads(text).items() if name != last})
                if (_is_json(text))
                else text
            )
        pair = f"{json.dumps(last)}:{odd(chance)}"
        for name in reversed(outer):
            pair = f"{json.dumps(name)}:{{{pair}}}"
        text = f"{text[:-1]},{pair}}}" if len(text) > 2 else f"{{{pair}}}"
    return text


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _broken(data: bytes, chance: Random) -> bytes:
    place = chance.randrange(len(data) + 1)
    rubbish = bytes(chance.randrange(256) for _ in range(chance.randrange(6)))
    return chance.choice((data[:place], data[:place] + rubbish + data[place:], rubbish, b"", data * 2))


def _encoded(chance: Random, body: bytes) -> tuple[str, bytes]:
    name = chance.choice(ENCODINGS)
    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}
    if name in pack and chance.random() < 0.7:
        body = pack[name](body)
        if chance.random() < 0.3:
            body = body[: chance.randrange(len(body) + 1)]
    return name, body


def _with_odd_headers(headers: dict[str, str], chance: Random) -> dict[str, str]:
    while chance.random() < 0.15:
        value = text_of(odd(chance)) or "1"
        value = value.encode("latin-1", "replace").decode("latin-1")[:2000]
        headers[chance.choice(HEADERS)] = "".join(each for each in value if each not in "\r\n\0")
    return headers


def _form(chance: Random, operation: Operation) -> tuple[str, bytes]:
    """Return a form's content type and bytes: usual fields, of which some are odd."""
    fields: dict[str, Any] = {"model": "m", "prompt": "Hi", "file": b"RIFF", "image": b"PNG"}
    names = [*fields, *(name for name, *_ in operation.fields), *WORDS[:4]]
    parts = [(name, value) for name, value in fields.items() if chance.random() < 0.9]
    for _ in range(chance.randrange(3)):
        parts.append((chance.choice(names), text_of(odd(chance)) or odd(chance)))
    data = b""
    for name, value in parts:
        file = f'; filename="{chance.choice(("a.wav", "", "x" * 2000))}"' if isinstance(value, bytes) else ""
        text = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
        data += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        data += text + b"\r\n"
    data += f"--{BOUNDARY}--\r\n".encode()
    if chance.random() < 0.2:
        data = _broken(data, chance)
    return f"multipart/form-data; boundary={BOUNDARY}", data


def authorization(path: str, key: str) -> str:
    if path.startswith(BASIC):
        return "Basic " + base64.b64encode(f"user:{key}".encode()).decode()
    return f"Bearer {key}"
