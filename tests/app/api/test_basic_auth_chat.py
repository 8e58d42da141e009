"""POST /api/v1/openai/chat/completions: HTTP Basic, and errors as `detail`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.relay.context import RequestContext
from app.streaming.events import Event
from tests.support.api import SECRET, FakeServices

URL = "/api/v1/openai/chat/completions"
BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
CHUNK = {"object": "chat.completion.chunk", "created": 1, "model": "m"}


def respond(context: RequestContext) -> Iterator[Any]:
    yield [Event({"id": "c", **CHUNK, "choices": [{"index": 0, "delta": {"content": "Hi"}}]})]
    yield [Event({"id": "c", **CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})]


def test_the_key_is_password_or_user_name() -> None:
    client = FakeServices(respond).client()

    for credentials in (("", SECRET), (SECRET, "")):
        assert client.post(URL, json=BODY, auth=credentials).status_code == 200


def test_without_one_the_browser_is_challenged() -> None:
    response = FakeServices(respond).client().post(URL, json=BODY)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic ")


def test_faults() -> None:
    client = FakeServices(respond).client()
    invalid = client.post(URL, json={"model": "m", "messages": "Hi"}, auth=("", SECRET))
    broken = client.post(URL, data=b"{", content_type="application/json", auth=("", SECRET))

    assert (invalid.status_code, broken.status_code) == (422, 422)
    assert invalid.json is not None
    assert broken.json is not None
    assert invalid.json["detail"][0]["loc"][:2] == ["body", "messages"]
    assert broken.json["detail"][0]["type"] == "json_invalid"
    assert invalid.json["error"]["param"] == "messages"
