"""
One large request or response never holds up the others of its worker for long.

The longest turn of the worker's event loop, in CPU time, is compared with reference work of the same
process: a quarter of a second on a machine where copying 128 MiB and parsing 200,000 values take half
of that.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import orjson
import pytest
import requests

from tests.service.test_forms import BOUNDARY, encoded
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.heartbeat import Comparison
from tests.support.upstream_client import ScriptedUpstream

MAX_TURN = 2.0  # times the reference work
MIB = 1024 * 1024
Json = dict[str, Any]

CHAT = ("/v1/chat/completions", "/api/v1/openai/chat/completions", "/openai/v1/chat/completions")
RESPONSES = ("/v1/responses", "/backend-api/codex/responses", "/v1/responses/compact")
FIELDS = {f"f{number}": number for number in range(190_000)}
IMAGE = "data:image/png;base64," + "A" * (15 * MIB)
JSON_MODE: dict[str, Json] = {
    "chat": {"response_format": {"type": "json_object"}},
    "responses": {"text": {"format": {"type": "json_object"}}, "instructions": "json"},
}
ESCAPES = '"\\\n\x01' * 3 * MIB
EMOJI = "\U0001f600" * 7 * MIB


def image(endpoint: str, data: str) -> Json:
    if endpoint == "chat":
        return {"type": "image_url", "image_url": {"url": data}}
    return {"type": "input_image", "image_url": data}


def conversation(endpoint: str, content: Any, times: int = 1, **more: Any) -> bytes:
    items = times * [{"role": "user", "content": content}]
    return orjson.dumps({"model": "m", "messages" if endpoint == "chat" else "input": items, **more})


def of_many_values(endpoint: str) -> dict[str, Callable[[], bytes]]:
    """Return functions that build bodies with as many values as the limits allow, or more."""
    of = partial(partial, conversation, endpoint)
    turns = "messages" if endpoint == "chat" else "input"
    return {
        "tiny items": of("a", 19_999),
        "fields": of("a", metadata=FIELDS),
        "unknown fields": of("a", zzz=FIELDS),
        "numbers for items": partial(orjson.dumps, {"model": "m", turns: [1] * 19_999}),
        "too many items": partial(orjson.dumps, {"model": "m", turns: [1] * 199_000}),
        "wrong parts": of([{"type": "text"}], 9_999),
        "too many values": of("a", zzz=[[]] * 4_000_000),
        "deep": lambda: b'{"model":"m","zzz":%b%b}' % (b"[" * 190_000, b"]" * 190_000),
    }


def of_many_bytes(endpoint: str) -> dict[str, Callable[[], bytes]]:
    """Return functions that build bodies of the maximum size, by what is large about them."""
    of = partial(partial, conversation, endpoint)
    most = 30 if endpoint == "chat" else 62  # MiB of one string
    return {
        "items": of("Hello, how are you? " * 70, 19_999),
        "one text": of("word " * (most * MIB // 5)),
        "emoji": of(EMOJI),
        "escapes": of(ESCAPES),
        "images": of([image(endpoint, IMAGE)] * 2, 1 if endpoint == "chat" else 4),
        "image and emoji": of([image(endpoint, "\U0001f600" + "A" * (most * MIB))]),
        "json mode": of(EMOJI, **JSON_MODE[endpoint]),
    }


PLAIN: list[tuple[str, str, Json]] = [
    ("numbers", "embeddings", {"model": "m", "input": list(range(390_000))}),
    ("texts", "embeddings", {"model": "m", "input": ["слово " * 15] * 190_000}),
    ("one text", "completions", {"model": "m", "prompt": EMOJI}),
    ("long input", "audio/speech", {"model": "m", "input": "x" * 31 * MIB}),
    ("fields", "images/generations", {"model": "m", "prompt": "a", "zzz": FIELDS}),
    ("escapes", "moderations", {"model": "m", "input": ESCAPES}),
]


@pytest.fixture(scope="module")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("home")
    with running_gateway(redis_url, home, workers=1, app="tests.support.heartbeat_app:app") as running:
        yield running


def seconds_of(gateway: Gateway, path: str) -> float:
    return float(requests.get(gateway.url + path, timeout=60).text)


def send(
    pool: PoolOfTest, key: str, path: str, data: bytes, kind: str = "application/json"
) -> requests.Response:
    authorization = (
        f"Basic {b64encode(f':{key}'.encode()).decode()}" if "/api/v1/" in path else f"Bearer {key}"
    )
    return requests.post(
        pool.gateway.url + path,
        data=data,
        headers={"Authorization": authorization, "Content-Type": kind},
        timeout=120,
    )


def turn_of(pool: PoolOfTest, key: str, path: str, data: bytes, kind: str = "application/json") -> float:
    """Send *data*, and return the longest turn that the worker took meanwhile, in seconds."""
    seconds_of(pool.gateway, "/_longest_turn")
    response = send(pool, key, path, data, kind)
    assert response.status_code < 500, response.text[:300]
    return seconds_of(pool.gateway, "/_longest_turn")


def send_all(
    pool: PoolOfTest, key: str, bodies: Iterable[tuple[str, str, bytes]], kind: str = "application/json"
) -> dict[str, float]:
    """Send each body of (name, path, data); return the longest turns that are too long, by name."""
    comparison = Comparison(lambda: seconds_of(pool.gateway, "/_reference"))

    def ratio(path: str, data: bytes) -> float:
        return comparison.ratio(lambda: turn_of(pool, key, path, data, kind), MAX_TURN)

    ratios = {name: ratio(path, data) for name, path, data in bodies}
    return {name: ratio for name, ratio in ratios.items() if ratio > MAX_TURN}


@pytest.mark.parametrize(
    ("path", "wire"),
    [
        *((path, "chat") for path in CHAT),
        *((path, "responses") for path in RESPONSES),
        (CHAT[0], "responses"),
        (RESPONSES[0], "chat"),
    ],
)
def test_a_conversation(pool: PoolOfTest, upstream: ScriptedUpstream, path: str, wire: str) -> None:
    kind = "openai" if path.endswith("compact") else "compatible"
    wires = {} if kind == "openai" else {"protocols": (wire,)}
    pool.account("a", upstream.base_url(), kind=kind, **wires)
    upstream.script({"play": "text", "text": "Answer"})
    key = pool.key()
    turn_of(pool, key, path, b"{}")  # which imports and compiles what first requests need
    endpoint = "chat" if path in CHAT else "responses"
    bodies = of_many_values(endpoint) | (of_many_bytes(endpoint) if path in (CHAT[0], RESPONSES[0]) else {})

    assert not send_all(pool, key, ((name, path, body()) for name, body in bodies.items()))


def test_what_passes_through(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script({"play": "text", "text": "Answer"})
    key = pool.key()
    form = encoded(
        ("model", None, None, b"m"), ("prompt", None, None, b"a"), ("image", "a.png", None, b"x" * 30 * MIB)
    )

    assert not send_all(pool, key, ((name, f"/v1/{path}", orjson.dumps(body)) for name, path, body in PLAIN))
    assert not send_all(
        pool, key, [("form", "/v1/images/edits", form)], f"multipart/form-data; boundary={BOUNDARY}"
    )


def test_a_large_response(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Embeddings of millions of numbers pass through unchanged."""
    pool.account("a", upstream.base_url())
    row = b'{"object":"embedding","embedding":[' + b",".join([b"-0.0123456789"] * 3072) + b"]}"
    usage = b'"usage":{"prompt_tokens":5,"total_tokens":5}'
    response = b'{"object":"list","model":"m","data":[' + b",".join([row] * 600) + b"]," + usage + b"}"
    upstream.script({"play": "json", "body": response.decode()}, path="/embeddings")
    key = pool.key()
    body = orjson.dumps({"model": "m", "input": "a"})

    first = send(pool, key, "/v1/embeddings", body)
    assert first.content == response, first.text[:300]
    assert not send_all(pool, key, [("embeddings", "/v1/embeddings", body)])


def test_a_long_string(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """A response of the model with a file in Base64, which is not streamed, passes through unchanged."""
    pool.account("a", upstream.base_url())
    message = {"role": "assistant", "content": "A" * 30 * MIB, "refusal": None}
    choices = [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]
    usage = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
    head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    upstream.script({"play": "json", "body": {**head, "choices": choices, "usage": usage}})
    key = pool.key()
    body = conversation("chat", "a")

    assert send(pool, key, CHAT[0], body).json()["choices"] == choices
    assert not send_all(pool, key, [("chat", CHAT[0], body)])
