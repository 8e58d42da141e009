"""The playground, and what it sends to the gateway."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from flask import Flask

from app.admin.gateway_requests import EXTENSION
from app.server.internal_requests import KeyReference, key_of
from app.stores.records.operators import Role
from app.stores.records.teams import TeamState
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import PASSWORD, Visitor, audited

HOME = f"/admin/p/{POOL}/playground"
FORM = {"key": "ann", "model": "m1", "endpoint": "chat", "message": "Hello"}


class FakeGateway:
    """A WSGI application that records requests, and answers them with `body`."""

    def __init__(self, status: str = "200 OK", body: Any = None) -> None:
        self.status = status
        self.body = {"choices": [{"message": {"content": "<b>Hi</b>"}}]} if body is None else body
        self.sent: list[tuple[str, KeyReference | None, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = orjson.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        self.sent.append((environ["PATH_INFO"], key_of(environ), body))
        start_response(
            self.status, [("Content-Type", "application/json"), ("x-poolgate-request-id", "req_1")]
        )
        return [self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)]


@pytest.fixture
def gateway(app: Flask) -> FakeGateway:
    app.extensions[EXTENSION] = fake = FakeGateway()
    return fake


@pytest.fixture
def key_id(pool: Furnished) -> str:
    """The id of the key ann of a pool with an account."""
    pool.account("main", models=("m1", "m2"))
    pool.key("ann")
    return pool.services.api_keys.find(POOL, "ann").id


class TestForm:
    def test_without_a_key(self, inside: Visitor, pool: Furnished) -> None:
        page = inside.get(HOME).text

        assert "this pool has none that is active" in page
        assert 'id="message"' not in page

    def test_the_models_of_the_chosen_key(self, inside: Visitor, pool: Furnished, key_id: str) -> None:
        pool.key("bob", models=("m2",))

        assert 'value="m1"' in inside.get(HOME).text
        assert 'value="m1"' not in inside.get(f"{HOME}?key=bob").text
        assert inside.get(f"{HOME}/models?key=bob").json == [["m2", "m2"]]
        assert inside.get(f"{HOME}/models?key=carl").status_code == 404

    def test_a_refused_key_is_not_offered(self, inside: Visitor, pool: Furnished, key_id: str) -> None:
        """Neither a disabled one, nor one that has expired or whose team is disabled."""
        pool.services.teams.create(POOL, "red")
        pool.key("bob")
        pool.services.api_keys.disable(POOL, "bob")
        pool.key("cid", expires_at=1.0)
        pool.key("dan", team="red")
        pool.services.teams.set_state(POOL, "red", TeamState.DISABLED)

        page = inside.get(HOME).text

        assert 'value="ann" selected' in page
        assert not any(f'value="{name}"' in page for name in ("bob", "cid", "dan"))

    def test_models_that_can_be_served_come_first(
        self, inside: Visitor, pool: Furnished, key_id: str
    ) -> None:
        """The others are marked: their accounts are paused, or have failed their tests."""
        pool.services.accounts.pause(POOL, "main")
        pool.services.accounts.observe(
            POOL, pool.account("new", models=("m3",)).id, {}, unanswered="credential"
        )
        pool.account("other", models=("m2", "m4"))

        assert inside.get(f"{HOME}/models?key=ann").json == [
            ["m2", "m2"],
            ["m4", "m4"],
            ["m1", "m1 (cannot be served now: main is paused)"],
            ["m3", "m3 (no answer yet: new, credential refused)"],
        ]

    def test_the_first_key_that_can_be_served(self, inside: Visitor, pool: Furnished, key_id: str) -> None:
        """It is chosen before the first by name, but not in place of the one in the address."""
        pool.key("aaa", models=("other",))

        assert 'value="ann" selected' in inside.get(HOME).text
        assert 'value="aaa" selected' in inside.get(f"{HOME}?key=aaa").text


class TestFormWithoutScripts:
    """A form that is sent without scripts."""

    def test_on_behalf_of_the_key(self, inside: Visitor, gateway: FakeGateway, key_id: str) -> None:
        response = inside.send(HOME, {**FORM, "stream": "yes"})

        assert response.status_code == 200
        (sent,) = gateway.sent
        message = {"role": "user", "content": "Hello"}
        body = {"model": "m1", "messages": [message]}
        assert sent == ("/v1/chat/completions", KeyReference(POOL, key_id), body)
        assert "&lt;b&gt;Hi&lt;/b&gt;" in response.text
        assert f'href="{HOME.replace("playground", "requests")}/req_1"' in response.text

    def test_the_audit_log_names_the_operator(
        self, inside: Visitor, gateway: FakeGateway, pool: Furnished, key_id: str
    ) -> None:
        inside.send(HOME, FORM)

        entry = audited(pool.services)[-1]
        assert (entry["action"], entry["who"], entry["object"]) == ("playground.send", "ann", "ann")
        assert (entry["model"], entry["request"]) == ("m1", "req_1")
        assert "Hello" not in str(entry)

    def test_the_conversation_continues(self, inside: Visitor, gateway: FakeGateway, key_id: str) -> None:
        turns = [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two"}]

        page = inside.send(HOME, {**FORM, "turns": orjson.dumps(turns).decode()}).text

        (_, _, body) = gateway.sent[0]
        assert body["messages"] == [*turns, {"role": "user", "content": "Hello"}]
        assert all(text in page for text in ("One", "Two", "Hello"))

    def test_an_error_of_the_gateway(self, inside: Visitor, gateway: FakeGateway, key_id: str) -> None:
        """Its message, a link to its explanation, and the message again to send."""
        gateway.status, gateway.body = (
            "429 TOO MANY REQUESTS",
            {"error": {"message": "It is spent <now>", "code": "rate_limit_exceeded"}},
        )

        page = inside.send(HOME, FORM).text

        assert "It is spent &lt;now&gt;" in page
        assert "/docs/errors#rate_limit_exceeded" in page
        assert ">Hello</textarea>" in page

    def test_a_response_that_is_not_json(self, inside: Visitor, gateway: FakeGateway, key_id: str) -> None:
        gateway.body = b"<html>"

        assert "The response is not JSON" in inside.send(HOME, FORM).text

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"message": " "}, "message"),
            ({"key": "carl"}, "key"),
            ({"model": ""}, "model"),
            ({"temperature": "hot"}, "temperature"),
            ({"temperature": "nan"}, "temperature"),
            ({"max_tokens": "-1"}, "max_tokens"),
            ({"turns": "{"}, "turns"),
            ({"turns": '[{"role": 1}]'}, "turns"),
        ],
    )
    def test_errors_name_their_field(
        self, inside: Visitor, gateway: FakeGateway, key_id: str, changed: dict[str, str], field: str
    ) -> None:
        response = inside.send(HOME, FORM | changed)

        assert response.status_code == 400
        assert "Nothing was sent." in response.text
        assert f'href="#{field}"' in response.text
        assert not gateway.sent


class TestStream:
    """What the script uses."""

    def test_the_response_is_passed_on(self, inside: Visitor, gateway: FakeGateway, key_id: str) -> None:
        response = inside.send(f"{HOME}/send", {**FORM, "stream": "yes"}, shown_at=HOME)

        assert response.json == gateway.body
        assert response.headers["x-poolgate-request-id"] == "req_1"
        assert gateway.sent[0][2]["stream"] is True

    def test_an_error_of_the_form(self, inside: Visitor, gateway: FakeGateway, key_id: str) -> None:
        response = inside.send(f"{HOME}/send", FORM | {"temperature": "9"}, shown_at=HOME)

        assert response.status_code == 400
        assert response.json["error"]["message"] == "temperature must be from 0 to 2"

    def test_the_outcome_of_a_request_that_is_not_recorded(
        self, inside: Visitor, gateway: FakeGateway, key_id: str
    ) -> None:
        response = inside.send(f"{HOME}/outcome", FORM | {"request_id": "req_1"}, shown_at=HOME)

        assert response.status_code == 202
        assert "As Python" in response.text

    def test_a_refused_request_is_explained(self, inside: Visitor, pool: Furnished, key_id: str) -> None:
        """By the gateway itself, which no account of the pool can serve."""
        response = inside.send(f"{HOME}/send", FORM | {"model": "", "other_model": "m9"}, shown_at=HOME)

        error = response.json["error"]
        assert (response.status_code, error["code"]) == (404, "model_not_found")
        outcome = inside.send(
            f"{HOME}/outcome",
            {
                **FORM,
                "request_id": response.headers["x-poolgate-request-id"],
                "code": "model_not_found",
            },
            shown_at=HOME,
        )
        assert "/docs/errors#model_not_found" in outcome.text

    def test_a_disabled_key_is_refused_by_the_gateway(
        self, inside: Visitor, pool: Furnished, key_id: str
    ) -> None:
        form = {"csrf_token": inside.csrf_token(HOME), **FORM}
        pool.services.api_keys.disable(POOL, "ann")

        response = inside.post(f"{HOME}/send", form)

        assert (response.status_code, response.json["error"]["message"]) == (
            401,
            "This API key has been disabled",
        )


def test_a_viewer_may_not_send(
    app: Flask, ann: str, gateway: FakeGateway, pool: Furnished, key_id: str
) -> None:
    pool.services.operator_stores.operators.create("vera", PASSWORD, Role.VIEWER)
    vera = Visitor(app, "192.0.2.3")
    vera.sign_in("vera")

    page = vera.get(HOME)
    token = vera.csrf_token("/admin/security")

    assert "Your role may not send requests" in page.text
    assert 'id="message"' not in page.text
    for path in ("", "/send", "/outcome"):
        assert vera.post(HOME + path, {"csrf_token": token, **FORM}).status_code == 403
    assert not gateway.sent
