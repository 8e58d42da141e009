"""Images by ChatGPT accounts, whose models call the image tool, and by accounts with the Images API."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
import requests
from openai.resources import Images

from app.limits.limit_syntax import parse_limit
from tests.service.test_common_rules import error_of
from tests.service.test_model_responses import events_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream
from tests.support.upstream_images import CREATED_AT, IMAGE, TOOL_USAGE, USAGE

GENERATE, EDIT = "/v1/images/generations", "/v1/images/edits"
MODEL = "gpt-image-2"
BODY: dict[str, Any] = {"model": MODEL, "prompt": "A red cat"}
PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 100
JPEG = b"\xff\xd8\xff\xe0" + b"photo" * 100
DRAWN = {"play": "image"}
OFTEN = '{"time_limits":{"*":{"keepalive":0.1}}}'
TOTAL = {
    "input_tokens": 2360,
    "input_tokens_details": {"image_tokens": 20, "text_tokens": 2340},
    "output_tokens": 1096,
    "output_tokens_details": {"image_tokens": 1056, "text_tokens": 40},
    "total_tokens": 3456,
}


def chatgpt(pool: PoolOfTest, upstream: ScriptedUpstream, name: str = "a", **more: Any) -> None:
    base_url = f"{upstream.root_url(name)}/backend-api"
    pool.account(name, base_url, kind="chatgpt", chatgpt_account_id="acc-1", **more)


@pytest.fixture
def images(pool: PoolOfTest) -> Iterator[Images]:
    """The Images API of the official client, which is closed at the end."""
    with openai.OpenAI(base_url=f"{pool.gateway.url}/v1", api_key=pool.key(), max_retries=0) as client:
        yield client.images


def edit(pool: PoolOfTest, key: str, *files: tuple[str, Any], **fields: str) -> requests.Response:
    return requests.post(
        pool.gateway.url + EDIT,
        headers={"Authorization": f"Bearer {key}"},
        files=[*((name, (None, value)) for name, value in {**BODY, **fields}.items()), *files],
        timeout=30,
    )


def sent(upstream: ScriptedUpstream, index: int = 0) -> dict[str, Any]:
    seen = upstream.log()[index]
    assert seen.path == "/backend-api/codex/responses"
    assert seen.body is not None
    return seen.body


class TestGenerations:
    def test_one_image(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        chatgpt(pool, upstream)
        upstream.script(DRAWN)

        response = pool.post(GENERATE, {**BODY, "size": "1024x1024", "quality": "medium"}, pool.key())

        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        assert response.headers["x-poolgate-account"] == "a"
        assert "x-poolgate-ignored" not in response.headers
        assert response.json() == {
            "created": CREATED_AT,
            "data": [{"b64_json": IMAGE, "revised_prompt": "A red cat"}],
            "background": "opaque",
            "output_format": "png",
            "quality": "medium",
            "size": "1024x1024",
            "usage": TOTAL,
        }
        body = sent(upstream)
        (tool,) = body["tools"]
        assert tool == {
            "type": "image_generation",
            "model": MODEL,
            "action": "generate",
            "size": "1024x1024",
            "quality": "medium",
        }
        assert (body["store"], body["stream"], bool(body["instructions"])) == (False, True, True)
        assert body["model"].startswith("gpt-5")
        assert body["input"][0]["content"] == [{"type": "input_text", "text": "A red cat"}]

    def test_is_charged_under_the_image_model(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """What the model and the tool used together, as the caller is told."""
        chatgpt(pool, upstream)
        upstream.script(DRAWN)

        pool.post(GENERATE, BODY, pool.key())

        (row,) = pool.wait_for_rows(1)
        assert (row["model"], row["endpoint"], row["status"]) == (MODEL, GENERATE, 200)
        assert (row["source"], row["input_tokens"], row["output_tokens"]) == ("upstream", 2360, 1096)
        assert (row["reasoning_tokens"], row["cached_tokens"]) == (25, 1024)
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)

    def test_the_model_is_one_that_the_account_lists(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        chatgpt(pool, upstream)
        (account,) = pool.gateway.services.accounts.all(pool.name)
        pool.gateway.services.accounts.list_models(pool.name, account.id, ["gpt-5", "gpt-5.5"])
        upstream.script(DRAWN)

        pool.post(GENERATE, BODY, pool.key())

        assert sent(upstream)["model"] == "gpt-5.5"

    def test_what_the_tool_lacks_is_named(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        chatgpt(pool, upstream)
        upstream.script(DRAWN)
        more = {"response_format": "url", "style": "vivid", "user": "u", "partial_images": 2, "n": 1}

        response = pool.post(GENERATE, {**BODY, **more}, pool.key())

        assert response.json()["data"][0]["b64_json"] == IMAGE
        ignored = response.headers["x-poolgate-ignored"].split(", ")
        assert set(ignored) == {"response_format", "style", "user", "partial_images"}

    def test_several_images_are_several_requests(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        chatgpt(pool, upstream)
        upstream.script(*({**DRAWN, "result": f"aW1hZ2U{number}"} for number in range(3)))

        response = pool.post(GENERATE, {**BODY, "n": 3}, pool.key())

        data = response.json()["data"]
        assert [image["b64_json"] for image in data] == ["aW1hZ2U0", "aW1hZ2U1", "aW1hZ2U2"]
        assert response.json()["usage"]["total_tokens"] == 3 * TOTAL["total_tokens"]
        assert len(upstream.log()) == 3
        (row,) = pool.wait_for_rows(1)
        assert (row["input_tokens"], row["output_tokens"]) == (3 * 2360, 3 * 1096)
        assert (len(row["attempts"]), pool.open_leases(), pool.in_flight()) == (1, 0, 0)

    @pytest.mark.parametrize(("field", "value"), [("n", 11), ("n", 0), ("svg", {"reasoning": None})])
    def test_what_only_the_images_api_can(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, field: str, value: object
    ) -> None:
        """Another account serves it; without one it is refused before anything is sent."""
        key = pool.key()
        chatgpt(pool, upstream)

        alone = pool.post(GENERATE, {**BODY, field: value}, key)
        pool.account("b", upstream.base_url("b"))
        upstream.script({"play": "json", "body": {"data": []}}, path="/images/generations")
        both = pool.post(GENERATE, {**BODY, field: value}, key)

        assert (alone.status_code, error_of(alone)["param"]) == (400, field)
        assert (both.status_code, both.json()) == (200, {"data": []})
        assert [seen.path for seen in upstream.log()] == ["/v1/images/generations"]


class TestEdits:
    def test_images_and_mask(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        chatgpt(pool, upstream)
        upstream.script(DRAWN)
        files = (
            ("image[]", ("one.png", PNG, "application/octet-stream")),
            ("image[]", ("two.jpg", JPEG, "image/jpeg")),
            ("mask", ("mask.png", PNG, "image/png")),
        )

        response = edit(pool, pool.key(), *files, output_format="jpeg", output_compression="80")

        assert response.status_code == 200, response.text
        assert response.json()["data"][0]["b64_json"] == IMAGE
        assert "x-poolgate-ignored" not in response.headers
        body = sent(upstream)
        png = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
        jpeg = f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"
        assert body["tools"] == [
            {
                "type": "image_generation",
                "model": MODEL,
                "action": "edit",
                "output_format": "jpeg",
                "output_compression": 80,
                "input_image_mask": {"image_url": png},
            }
        ]
        text, *images = body["input"][0]["content"]
        assert text["text"] == "A red cat"
        assert [image["image_url"] for image in images] == [png, jpeg]
        (row,) = pool.wait_for_rows(1)
        assert (row["endpoint"], row["input_tokens"]) == (EDIT, 2360)

    def test_json(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """As newer clients send it, with data URLs."""
        chatgpt(pool, upstream)
        upstream.script(DRAWN)
        png = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
        body = {**BODY, "images": [{"image_url": png}, {"image_url": "https://x/y"}], "size": "auto"}

        response = pool.post(EDIT, {**body, "mask": {"image_url": png}}, pool.key())

        assert (response.status_code, response.json()["data"][0]["b64_json"]) == (200, IMAGE), response.text
        assert "x-poolgate-ignored" not in response.headers
        (tool,) = sent(upstream)["tools"]
        assert (tool["action"], tool["input_image_mask"]) == ("edit", {"image_url": png})
        _, *images = sent(upstream)["input"][0]["content"]
        assert [image["image_url"] for image in images] == [png, "https://x/y"]

    @pytest.mark.parametrize("prefix", ["/backend-api/codex", "/backend-api/codex/v1"])
    def test_paths_of_codex(self, pool: PoolOfTest, upstream: ScriptedUpstream, prefix: str) -> None:
        chatgpt(pool, upstream)
        upstream.script(DRAWN, DRAWN)
        body = {**BODY, "images": [{"image_url": "data:image/png;base64,aW1n"}]}

        responses = [
            pool.post(f"{prefix}/images/{name}", body, pool.key(name)) for name in ("generations", "edits")
        ]

        assert [response.json()["data"][0]["b64_json"] for response in responses] == [IMAGE, IMAGE]

    def test_json_with_an_uploaded_file_needs_the_images_api(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        """Such a body passes through unchanged."""
        chatgpt(pool, upstream)
        body = {**BODY, "images": [{"file_id": "file-1"}], "quality": "high"}
        key = pool.key()
        refused = pool.post(EDIT, body, key)
        assert (refused.status_code, error_of(refused)["param"]) == (400, "images")
        assert upstream.log() == []
        pool.account("b", upstream.base_url("b"))
        upstream.script({"play": "json", "body": {"data": []}}, path="/images/edits")

        response = pool.post(EDIT, body, key)

        assert (response.status_code, response.json()) == (200, {"data": []})
        (seen,) = upstream.log()
        assert (seen.headers["content-type"], seen.body) == ("application/json", body)

    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({}, "images"),
            ({"images": []}, "images"),
            ({"images": [{"image_url": "data:"}] * 17}, "images"),
            ({"images": ["data:"]}, "images"),
            ({"images": [{"image_url": "data:", "file_id": "f"}]}, "images"),
            ({"images": [{"file_id": "f"}], "mask": {"file_id": 1}}, "mask"),
        ],
    )
    def test_json_that_is_no_edit(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, fields: dict[str, Any], param: str
    ) -> None:
        response = pool.post(EDIT, {**BODY, **fields}, pool.key())

        assert (response.status_code, error_of(response)["param"]) == (400, param)

    def test_without_an_image(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        chatgpt(pool, upstream)

        response = edit(pool, pool.key())

        assert (response.status_code, error_of(response)["param"]) == (400, "image")
        assert upstream.log() == []
        assert pool.wait_for_rows(1)[0]["status"] == 400

    def test_passes_to_an_account_with_the_images_api(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        pool.account("a", upstream.base_url())
        upstream.script({"play": "json", "body": {"data": []}}, path="/images/edits")

        response = edit(pool, pool.key(), ("image", ("one.png", PNG, "image/png")))

        assert (response.status_code, response.json()) == (200, {"data": []})
        (seen,) = upstream.log()
        assert seen.headers["content-type"].startswith("multipart/form-data")


class TestStreams:
    def test_partial_images(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        chatgpt(pool, upstream)
        upstream.script({**DRAWN, "partials": ["cGFydA==", "bW9yZQ=="]})

        response = pool.post(GENERATE, {**BODY, "stream": True, "partial_images": 2}, pool.key())

        assert response.headers["content-type"].startswith("text/event-stream")
        first, second, last = events_of(response.text)
        assert (first["type"], first["b64_json"]) == ("image_generation.partial_image", "cGFydA==")
        assert (first["partial_image_index"], second["partial_image_index"]) == (0, 1)
        assert (first["created_at"], first["size"]) == (CREATED_AT, "1024x1024")
        assert (last["type"], last["b64_json"]) == ("image_generation.completed", IMAGE)
        assert last["usage"] == TOTAL
        assert sent(upstream)["tools"][0]["partial_images"] == 2
        assert pool.wait_for_rows(1)[0]["output_tokens"] == 1096

    def test_a_cut_after_a_partial_image_is_no_end(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        """Another account may not answer any more: the caller has seen a part."""
        for name in ("a", "b"):
            chatgpt(pool, upstream, name)
        upstream.script({**DRAWN, "partials": ["cGFydA=="], "cut": 8})

        response = pool.post(GENERATE, {**BODY, "stream": True, "partial_images": 1}, pool.key())

        partial, error, *_ = events_of(response.text)
        assert partial["type"] == "image_generation.partial_image"
        assert error["error"]["code"] == "stream_incomplete"
        assert len(upstream.log()) == 1
        assert pool.wait_for_rows(1)[0]["error"] == "stream_incomplete"

    def test_a_cut_before_it_is_rescued(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        for name in ("a", "b"):
            chatgpt(pool, upstream, name)
        upstream.script({**DRAWN, "cut": 6}, DRAWN)

        (last,) = events_of(pool.post(GENERATE, {**BODY, "stream": True}, pool.key()).text)

        assert last["type"] == "image_generation.completed"
        assert {seen.account.rpartition(".")[2] for seen in upstream.log()} == {"a", "b"}

    @pytest.mark.parametrize("gate_after", [2, 8], ids=["first", "between"])
    def test_a_silent_upstream(self, pool: PoolOfTest, upstream: ScriptedUpstream, gate_after: int) -> None:
        """Proxies on the way end connections without a sign of life."""
        pool.set(settings=OFTEN)
        chatgpt(pool, upstream)
        upstream.script({**DRAWN, "partials": ["cGFydA=="], "gate": "drawing", "gate_after": gate_after})

        body, received = {**BODY, "stream": True, "partial_images": 1}, b""
        with pool.post(GENERATE, body, pool.key(), stream=True) as response:
            while not received.endswith(b": keepalive\n\n"):
                received += response.raw.read(1)
            upstream.release("drawing")
            received += response.raw.read()

        types = [event["type"] for event in events_of(received.decode())]
        assert types == ["image_generation.partial_image", "image_generation.completed"]

    def test_a_silent_upstream_without_a_stream(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Its status is still open while the images are drawn: no sign of life is possible."""
        pool.set(settings=OFTEN)
        chatgpt(pool, upstream)
        upstream.script({**DRAWN, "gate": "drawing", "gate_after": 2})

        with ThreadPoolExecutor(1) as clients:
            waiting = clients.submit(pool.post, GENERATE, BODY, pool.key())
            upstream.wait_for(1, gate="drawing")
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
            upstream.release("drawing")
            response = waiting.result()

        assert response.headers["content-type"] == "application/json"
        assert len(response.json()["data"]) == 1

    def test_events_of_the_images_api(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Within an event no comment is sent."""
        pool.set(settings=OFTEN)
        pool.account("a", upstream.base_url())
        start, end = 'event: image_generation.completed\ndata: {"type": "image_', 'generation.completed"}\n\n'
        upstream.script(
            {
                "status": 200,
                "headers": {"Content-Type": "text/event-stream"},
                "steps": [{"send": "data: {}\n\n"}, {"send": start}, {"sleep": 0.4}, {"send": end}],
            },
            path="/images/generations",
        )

        response = pool.post(GENERATE, {**BODY, "stream": True}, pool.key())

        assert start + end in response.text

    def test_a_disconnected_client_is_settled(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        chatgpt(pool, upstream)
        upstream.script({**DRAWN, "partials": ["cGFydA=="], "gate": "never", "gate_after": 8})

        response = pool.post(GENERATE, {**BODY, "stream": True, "partial_images": 1}, pool.key(), stream=True)
        assert response.raw.read(20)
        response.close()

        upstream.wait_for(1, end="client_closed")
        assert pool.wait_for_rows(1)[0]["status"] == 499
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)


class TestSdk:
    """The official client reads what it expects of the Images API."""

    def test_generate(self, pool: PoolOfTest, upstream: ScriptedUpstream, images: Images) -> None:
        chatgpt(pool, upstream)
        upstream.script(DRAWN)

        made = images.generate(**BODY, n=2, background="opaque")

        assert made.data is not None
        assert [image.b64_json for image in made.data] == [IMAGE, IMAGE]
        assert made.usage is not None
        assert (made.usage.input_tokens_details.image_tokens, made.created) == (40, CREATED_AT)

    def test_edit(self, pool: PoolOfTest, upstream: ScriptedUpstream, images: Images) -> None:
        chatgpt(pool, upstream)
        upstream.script(DRAWN)

        made = images.edit(**BODY, image=[("a.png", PNG), ("b.jpg", JPEG)], mask=("mask.png", PNG), n=1)

        assert made.data is not None
        assert made.data[0].b64_json == IMAGE
        assert len(sent(upstream)["input"][0]["content"]) == 3

    @pytest.mark.parametrize("endpoint", ["generate", "edit"])
    def test_stream(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, images: Images, endpoint: str
    ) -> None:
        chatgpt(pool, upstream)
        upstream.script({**DRAWN, "partials": ["cGFydA=="]})
        if endpoint == "generate":
            stream: Any = images.generate(**BODY, stream=True, partial_images=1)
        else:
            stream = images.edit(**BODY, image=("a.png", PNG), stream=True, partial_images=1)

        partial, completed = stream

        name = "image_generation" if endpoint == "generate" else "image_edit"
        assert (partial.type, partial.b64_json) == (f"{name}.partial_image", "cGFydA==")
        assert (completed.type, completed.usage.total_tokens) == (f"{name}.completed", 3456)

    def test_a_broken_stream_raises(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, images: Images
    ) -> None:
        chatgpt(pool, upstream)
        upstream.script({**DRAWN, "partials": ["cGFydA=="], "cut": 8})

        stream = images.generate(**BODY, stream=True, partial_images=1)

        with pytest.raises(openai.APIError):
            list(stream)


class TestFailures:
    def test_moderation(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """The error is the tool's own, and no other account is asked for the same."""
        for name in ("a", "b"):
            chatgpt(pool, upstream, name)
        error = {
            "code": "moderation_blocked",
            "message": "Your request was rejected by the safety system.",
            "type": "image_generation_user_error",
        }
        upstream.script({**DRAWN, "item": {"status": "failed", "result": None, "error": error}})

        response = pool.post(GENERATE, BODY, pool.key())

        assert response.status_code == 400
        assert {name: error_of(response)[name] for name in error} == error
        assert len(upstream.log()) == 1
        assert set(pool.states().values()) == {"active"}
        (row,) = pool.wait_for_rows(1)
        assert (row["error"], row["input_tokens"]) == ("moderation_blocked", TOTAL["input_tokens"])

    def test_a_failed_response(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        chatgpt(pool, upstream)
        error = {"code": "moderation_blocked", "message": "No."}
        upstream.script(
            {
                **DRAWN,
                "item": None,
                "end": "response.failed",
                "response": {"status": "failed", "error": error},
            }
        )

        response = pool.post(GENERATE, BODY, pool.key())

        assert (response.status_code, error_of(response)["code"]) == (400, "moderation_blocked")

    def test_words_in_place_of_an_image(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        for name in ("a", "b"):
            chatgpt(pool, upstream, name)
        upstream.script({**DRAWN, "item": None, "text": "I cannot draw this."})

        response = pool.post(GENERATE, BODY, pool.key())

        assert (response.status_code, error_of(response)["code"]) == (400, "image_generation_failed")
        assert "I cannot draw this." in error_of(response)["message"]
        assert len(upstream.log()) == 1

    def test_no_image_at_all(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Then it is the account's fault, and another one responses."""
        for name in ("a", "b"):
            chatgpt(pool, upstream, name)
        upstream.script({**DRAWN, "item": None}, DRAWN)

        assert pool.post(GENERATE, BODY, pool.key()).json()["data"][0]["b64_json"] == IMAGE
        assert len(upstream.log()) == 2

    def test_an_account_that_may_not_use_the_tool(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.set(policy="ordered")
        chatgpt(pool, upstream, "a", group=0)
        chatgpt(pool, upstream, "b", group=1)
        refusal = {"detail": "Tool choice 'image_generation' not found in 'tools' parameter."}
        upstream.script({"play": "http_error", "status": 400, "body": refusal}, account="a")
        upstream.script(DRAWN, account="b")

        response = pool.post(GENERATE, BODY, pool.key())

        assert (response.status_code, response.headers["x-poolgate-account"]) == (200, "b")
        assert set(pool.states().values()) == {"active"}

    def test_a_failure_between_two_images_repeats_both(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        """What the failed attempt used is charged as well."""
        for name in ("a", "b"):
            chatgpt(pool, upstream, name)
        upstream.script(DRAWN, {"play": "http_error", "status": 500}, DRAWN)

        response = pool.post(GENERATE, {**BODY, "n": 2}, pool.key())

        assert len(response.json()["data"]) == 2
        assert len(upstream.log()) == 4
        (row,) = pool.wait_for_rows(1)
        assert len(row["attempts"]) == 2
        assert row["output_tokens"] >= 3 * 1096


class TestMixedPools:
    NATIVE = {"play": "json", "body": {"created": 1, "data": [{"b64_json": "bmF0aXZl"}]}}

    @pytest.mark.parametrize("preferred", ["chatgpt", "openai"])
    def test_either_kind_rescues_the_other(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, preferred: str
    ) -> None:
        pool.set(policy="ordered")
        chatgpt(pool, upstream, "chatgpt", group=0 if preferred == "chatgpt" else 1)
        pool.account("openai", upstream.base_url("openai"), group=0 if preferred == "openai" else 1)
        broken = {"play": "http_error", "status": 503}
        upstream.script(broken if preferred == "chatgpt" else DRAWN, account="chatgpt")
        native = broken if preferred == "openai" else self.NATIVE
        upstream.script(native, account="openai", path="/images/generations")

        response = pool.post(GENERATE, BODY, pool.key())

        expected = IMAGE if preferred == "openai" else "bmF0aXZl"
        assert (response.status_code, response.json()["data"][0]["b64_json"]) == (200, expected)

    def test_a_model_that_is_not_of_the_tool(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        chatgpt(pool, upstream)
        body = {**BODY, "model": "flux"}

        missing = pool.post(GENERATE, body, pool.key())
        pool.account("b", upstream.base_url("b"), kind="compatible")
        upstream.script(self.NATIVE, path="/images/generations")
        served = pool.post(GENERATE, body, pool.key("k2"))

        assert (missing.status_code, error_of(missing)["code"]) == (404, "model_not_found")
        assert served.headers["x-poolgate-account"] == "b"
        assert len(upstream.log()) == 1


class TestLimits:
    def test_models_of_a_key(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """The image model counts, not the one that calls the tool."""
        chatgpt(pool, upstream)
        upstream.script(DRAWN)

        allowed = pool.post(GENERATE, BODY, pool.key("k1", models=(MODEL,)))
        forbidden = pool.post(GENERATE, BODY, pool.key("k2", models=("gpt-5.6-sol",)))

        assert allowed.status_code == 200
        assert (forbidden.status_code, error_of(forbidden)["code"]) == (403, "model_not_allowed")

    def test_a_used_up_limit_is_named_although_no_account_lists_the_model(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        chatgpt(pool, upstream)
        (account,) = pool.gateway.services.accounts.all(pool.name)
        pool.gateway.services.accounts.list_models(pool.name, account.id, ["gpt-5.5"])
        upstream.script(DRAWN)
        key = pool.key(limits=(parse_limit("1 requests/ever"),))

        assert [pool.post(GENERATE, BODY, key).status_code for _ in range(2)] == [200, 429]

    def test_a_strict_limit_needs_a_maximum(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """The model reasons unseen: nothing is sent where no amount can be reserved for it."""
        chatgpt(pool, upstream)
        key = pool.key(limits=(parse_limit("100000 output_tokens/day strict"),))

        response = pool.post(GENERATE, BODY, key)

        assert (response.status_code, upstream.log()) == (429, [])
        assert "strict" in error_of(response)["message"]

    def test_without_a_report_the_reservation_is_charged(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        """A balanced limit counts an estimate, a strict one all that was reserved."""
        chatgpt(pool, upstream)
        upstream.script({**DRAWN, "tool_usage": None})
        row = {"input": 5_000_000, "output": 30_000_000}
        pool.gateway.services.prices.put(pool.name, MODEL, {"standard": row, "max_output": 10_000})
        key = pool.key(limits=(parse_limit("1000000 output_tokens/day strict"),))

        response = pool.post(GENERATE, BODY, key)

        assert (response.status_code, "usage" in response.json()) == (200, False)
        (entry,) = pool.wait_for_rows(1)
        assert (entry["source"], entry["unreported"]) == ("estimated", "not_reported")
        assert entry["output_tokens"] == 4160
        assert entry["output_tokens"] + entry["unreported_output_tokens"] == 138_000


def test_what_the_tool_reports_is_what_the_caller_sees() -> None:
    assert TOTAL["input_tokens"] == USAGE["input_tokens"] + TOOL_USAGE["input_tokens"]  # type: ignore[operator]
