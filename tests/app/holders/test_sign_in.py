"""Sign in with a key, and everything that ends a session."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from flask import Flask

from app.operators.sign_in_throttle import ADDRESS
from app.stores import keys
from app.stores.records.teams import TeamState
from app.stores.secrets import digest_of
from app.wiring import Services
from tests.app.holders.conftest import POOL, Holder
from tests.support.admin import PASSWORD, Visitor, admin_app
from tests.support.store_contents import everything_in

PAGES = ("/my", "/my/requests", "/my/models", "/my/clients", "/my/rotate")


class TestSignIn:
    def test_with_a_key(self, visitor: Holder, secret: str) -> None:
        assert visitor.enter(secret) == 303
        assert "Key ann" in visitor.get("/my").text
        assert visitor.get("/my/sign-in").status_code == 303

    @pytest.mark.parametrize("path", PAGES)
    def test_pages_need_a_session(self, visitor: Holder, path: str) -> None:
        response = visitor.get(path)

        assert (response.status_code, response.headers["Location"]) == (303, "/my/sign-in")

    def test_a_key_of_another_gateway(self, visitor: Holder, services: Services) -> None:
        foreign = "sk-" + "a" * 40
        services.api_keys.create(POOL, "bob", foreign_digest=digest_of(foreign))

        assert visitor.enter(foreign) == 303

    @pytest.mark.parametrize(
        "presented", ["", "not-a-key", "sk-pg-default-" + "a" * 43, "é" * 50, "sk-" + "b" * 40]
    )
    def test_an_unknown_key(self, visitor: Holder, secret: str, presented: str) -> None:
        response = visitor.send("/my/sign-in", {"key": presented})

        assert response.status_code == 401
        assert not presented or presented not in response.text
        assert not visitor.is_inside()

    def test_a_key_that_is_refused(self, visitor: Holder, services: Services, secret: str) -> None:
        services.api_keys.disable(POOL, "ann")

        response = visitor.send("/my/sign-in", {"key": secret})

        assert response.status_code == 401
        assert "This API key has been disabled" in response.text

    def test_a_key_whose_team_is_disabled(self, visitor: Holder, services: Services) -> None:
        services.teams.create(POOL, "research")
        _, secret = services.api_keys.create(POOL, "bob", team="research")
        services.teams.set_state(POOL, "research", TeamState.DISABLED)

        assert visitor.enter(secret) == 403

    def test_a_former_secret(self, visitor: Holder, services: Services, secret: str) -> None:
        services.api_keys.rotate(POOL, "ann", 3600)

        response = visitor.send("/my/sign-in", {"key": secret})

        assert response.status_code == 401
        assert "sign in with its new secret" in response.text

    def test_attempts_are_limited(self, visitor: Holder, services: Services, secret: str) -> None:
        """By address, and apart from those of operators."""
        token = visitor.csrf_token("/my/sign-in")
        for number in range(ADDRESS):
            visitor.post("/my/sign-in", {"csrf_token": token, "key": f"sk-pg-default-{number:043}"})

        response = visitor.post("/my/sign-in", {"csrf_token": token, "key": secret})

        assert response.status_code == 429
        assert int(response.headers["Retry-After"]) > 0
        services.operator_stores.sign_in_throttle.begin("ann", "192.0.2.1")

    def test_successes_are_not_limited(self, app: Flask, secret: str) -> None:
        assert {Holder(app).enter(secret) for _ in range(ADDRESS + 2)} == {303}

    def test_without_a_csrf_token(self, visitor: Holder, secret: str) -> None:
        assert visitor.post("/my/sign-in", {"key": secret}).status_code == 403

    def test_a_large_form(self, visitor: Holder) -> None:
        assert visitor.send("/my/sign-in", {"key": "x" * 100_000}).status_code == 413


class TestCookie:
    def test_its_flags(self, app: Flask, secret: str) -> None:
        for https, name in ((False, "poolgate_key="), (True, "__Secure-poolgate_key=")):
            holder = Holder(app, https=https)
            response = holder.send("/my/sign-in", {"key": secret})
            cookie = response.headers["Set-Cookie"]
            assert cookie.startswith(name)
            assert all(flag in cookie for flag in ("HttpOnly", "SameSite=Strict", "Path=/my"))
            assert ("Secure;" in cookie) == https

    def test_no_secret_in_it_and_none_stored(self, visitor: Holder, secret: str, redis_client: Any) -> None:
        cookie = visitor.send("/my/sign-in", {"key": secret}).headers["Set-Cookie"]
        payload = cookie.partition("=")[2].partition(".")[0]
        clear = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode("latin-1")

        for text in (cookie, clear, everything_in(redis_client)):
            assert secret not in text
            assert secret.rpartition("-")[2] not in text
        assert digest_of(secret) not in cookie + clear

    def test_that_of_an_operator(self, visitor: Holder, services: Services) -> None:
        """It is signed with the same keys, for another purpose."""
        operators = Visitor(admin_app(services))
        services.operator_stores.operators.create("ann", PASSWORD)
        operators.sign_in()
        value = operators.client.get_cookie("poolgate", "gate.test", "/admin")
        assert value is not None

        visitor.client.set_cookie("poolgate_key", value.value, domain="gate.test", path="/my")

        assert not visitor.is_inside()

    def test_a_forged_one(self, app: Flask, secret: str) -> None:
        visitor = Holder(app)
        visitor.client.set_cookie("poolgate_key", "e30.aaaa.bbbb", domain="gate.test", path="/my")

        assert not visitor.is_inside()


class TestEnd:
    def test_sign_out(self, ann: Holder, services: Services) -> None:
        """In the store as well: the cookie is of no use any more."""
        value = ann.client.get_cookie("poolgate_key", "gate.test", "/my")
        assert value is not None

        assert ann.send("/my/sign-out", {}, shown_at="/my").status_code == 303

        assert not ann.is_inside()
        ann.client.set_cookie("poolgate_key", value.value, domain="gate.test", path="/my")
        assert not ann.is_inside()

    def test_disabled(self, ann: Holder, services: Services) -> None:
        services.api_keys.disable(POOL, "ann")
        services.api_keys.enable(POOL, "ann")

        assert not ann.is_inside()

    def test_expired(self, ann: Holder, services: Services) -> None:
        services.api_keys.change(POOL, "ann", expires_at=1_700_000_000)

        assert not ann.is_inside()

    def test_removed_and_made_again(self, ann: Holder, services: Services) -> None:
        services.api_keys.remove(POOL, "ann")
        services.api_keys.create(POOL, "ann")

        assert not ann.is_inside()

    def test_its_team_is_disabled(self, ann: Holder, services: Services) -> None:
        services.teams.create(POOL, "research")
        services.api_keys.change(POOL, "ann", team="research")
        assert ann.is_inside()
        services.teams.set_state(POOL, "research", TeamState.DISABLED)

        assert not ann.is_inside()

    @pytest.mark.parametrize("overlap", [0, 3600])
    def test_rotated(self, ann: Holder, services: Services, overlap: int) -> None:
        services.api_keys.rotate(POOL, "ann", overlap)

        assert not ann.is_inside()

    def test_of_the_store(self, ann: Holder, services: Services, redis_client: Any) -> None:
        key = services.api_keys.find(POOL, "ann")
        redis_client.delete(keys.key_sessions(POOL, key.id))

        assert not ann.is_inside()
