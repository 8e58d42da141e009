"""
One large request never holds up the others of its worker for more than a quarter of a second.

What is measured is CPU time of the worker between two turns of another greenlet, so a busy machine
changes little.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import requests

from tests.service.test_forms import BOUNDARY, encoded
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.upstream_client import ScriptedUpstream

MAX_TURN_SECONDS = 0.25
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


def image(surface: str, data: str) -> Json:
    if surface == "chat":
        return {"type": "image_url", "image_url": {"url": data}}
    return {"type": "input_image", "image_url": data}


def conversations(surface: str) -> dict[str, Json]:
    """Return bodies at the limits, by what is large about them."""
    turns = "messages" if surface == "chat" else "input"
    most = 30 if surface == "chat" else 62  # MiB of one string

    def of(content: Any, times: int = 1, **more: Any) -> Json:
        return {"model": "m", turns: times * [{"role": "user", "content": content}], **more}

    return {
        "items": of("Hello, how are you? " * 70, 19_999),
        "tiny items": of("a", 19_999),
        "one text": of("word " * (most * MIB // 5)),
        "emoji": of(EMOJI),
        "escapes": of(ESCAPES),
        "images": of([image(surface, IMAGE)] * 2, 1 if surface == "chat" else 4),
        "image and emoji": of([image(surface, "\U0001f600" + "A" * (most * MIB))]),
        "fields": of("a", metadata=FIELDS),
        "unknown fields": of("a", zzz=FIELDS),
        "json mode": of(EMOJI, **JSON_MODE[surface]),
        "numbers for items": {"model": "m", turns: [1] * 19_999},
        "too many items": {"model": "m", turns: [1] * 199_000},
        "wrong parts": of([{"type": "text"}], 9_999),
        "too many values": of("a", zzz=[[]] * 4_000_000),
    }


PLAIN: list[tuple[str, Json]] = [
    ("embeddings", {"model": "m", "input": list(range(390_000))}),
    ("embeddings", {"model": "m", "input": ["слово " * 15] * 190_000}),
    ("completions", {"model": "m", "prompt": EMOJI}),
    ("audio/speech", {"model": "m", "input": "x" * 31 * MIB}),
    ("images/generations", {"model": "m", "prompt": "a", "zzz": FIELDS}),
    ("moderations", {"model": "m", "input": ESCAPES}),
]


@pytest.fixture(scope="module")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("home")
    with running_gateway(redis_url, home, workers=1, app="tests.support.heartbeat_app:app") as running:
        yield running


def longest_turn(gateway: Gateway) -> float:
    """Return the longest turn of the worker since this was last requested, in seconds."""
    return float(requests.get(gateway.url + "/_longest_turn", timeout=30).text)


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
    """Send *data*, and return the longest turn that the worker took meanwhile."""
    longest_turn(pool.gateway)
    answer = send(pool, key, path, data, kind)
    assert answer.status_code < 500, answer.text[:300]
    return longest_turn(pool.gateway)


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
    bodies = conversations("chat" if path in CHAT else "responses")

    turns = {name: turn_of(pool, key, path, orjson.dumps(body)) for name, body in bodies.items()}
    turns["deep"] = turn_of(pool, key, path, b'{"model":"m","zzz":%b%b}' % (b"[" * 190_000, b"]" * 190_000))

    assert max(turns.values()) < MAX_TURN_SECONDS, turns


def test_what_passes_through(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script({"play": "text", "text": "Answer"})
    key = pool.key()
    form = encoded(
        ("model", None, None, b"m"), ("prompt", None, None, b"a"), ("image", "a.png", None, b"x" * 30 * MIB)
    )
    kind = f"multipart/form-data; boundary={BOUNDARY}"

    turns = [(path, turn_of(pool, key, f"/v1/{path}", orjson.dumps(body))) for path, body in PLAIN]
    turns.append(("form", turn_of(pool, key, "/v1/images/edits", form, kind)))

    assert max(seconds for _, seconds in turns) < MAX_TURN_SECONDS, turns
