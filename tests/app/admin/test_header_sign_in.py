"""Sign-in by a header of a trusted proxy; from anywhere else the header means nothing."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from app.config import RoleRule, Settings, SignInSettings
from app.stores.records.operators import Role
from app.web_wiring import build_web
from tests.support.admin import PASSWORD, Visitor, admin_app, audited

PROXY = "10.0.0.5"
HEADERS = {"X-Forwarded-User": "ann@example.com", "X-Forwarded-Groups": "staff, ops"}
RULES = (RoleRule("admin", "group", "ops"), RoleRule("viewer", "domain", "example.com"))


@pytest.fixture
def services(redis_url, redis_client, tmp_path):
    built = build_web(
        Settings(
            redis_url=redis_url,
            home=tmp_path,
            secret_keys=(Fernet.generate_key().decode(),),
            store_timeout_seconds=5.0,
            sign_in=SignInSettings(
                user_header="X-Forwarded-User",
                groups_header="X-Forwarded-Groups",
                user_header_from=("10.0.0.0/30", "10.0.0.4/31", "unix"),
                roles=RULES,
                sign_out_url="https://proxy.test/out",
            ),
        )
    )
    built.operator_stores.operators.create("root", PASSWORD)
    return built


@pytest.fixture
def app(services):
    return admin_app(services)


def security(visitor, headers=HEADERS):
    return visitor.get("/admin/security", headers=headers)


def signed_in(app, address=PROXY, headers=HEADERS):
    visitor = Visitor(app, address)
    visitor.get("/admin/sign-in", headers=headers)
    return visitor


def test_the_proxy_signs_in(app, services):
    visitor = Visitor(app, PROXY)

    response = visitor.get("/admin/sign-in?next=/admin/security", headers=HEADERS)

    assert (response.status_code, response.location) == (303, "/admin/security")
    assert "Your role is admin" in security(visitor).text
    ann = services.operator_stores.operators.find("ann@example.com")
    assert (ann.role, ann.methods) == (Role.ADMIN, ("header",))
    assert audited(services)[-1]["action"] == "session.open"


@pytest.mark.parametrize("address", ["10.0.0.6", "192.0.2.1", "127.0.0.1", "::1", "::ffff:192.0.2.1", "x"])
def test_from_elsewhere_the_header_is_ignored(app, services, address):
    visitor = Visitor(app, address)
    spoofed = {**HEADERS, "X-Forwarded-For": PROXY, "X-Real-IP": PROXY, "Forwarded": f"for={PROXY}"}

    response = visitor.get("/admin/sign-in", headers=spoofed)

    assert response.status_code == 200
    assert security(visitor, spoofed).status_code == 303
    assert [one.name for one in services.operator_stores.operators.all()] == ["root"]


@pytest.mark.parametrize("address", ["", "::ffff:10.0.0.5"])
def test_a_socket_and_a_mapped_address(app, address):
    assert security(signed_in(app, address)).status_code == 200


class TestASession:
    def test_from_elsewhere(self, app, services):
        """A cookie that was taken away is of no use without the proxy."""
        visitor = signed_in(app)
        cookie = visitor.client.get_cookie("poolgate", domain="gate.test", path="/admin").value
        thief = Visitor(app, "192.0.2.9")
        thief.client.set_cookie("poolgate", cookie, domain="gate.test", path="/admin")

        assert security(thief).status_code == 303

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {**HEADERS, "X-Forwarded-User": "bea@example.com"},
            {**HEADERS, "X-Forwarded-Groups": "staff"},
        ],
    )
    def test_with_other_headers(self, app, headers):
        assert security(signed_in(app), headers).status_code == 303

    def test_another_person_in_the_same_browser(self, app, services):
        visitor = signed_in(app)
        other = {"X-Forwarded-User": "bea@example.com"}

        visitor.get("/admin/sign-in", headers=other)

        page = security(visitor, other).text
        assert "Your sign-in, bea@example.com" in page
        assert "Your role is viewer" in page

    def test_forms_need_a_csrf_token(self, app):
        visitor = signed_in(app)

        assert visitor.post("/admin/a-page", {}, headers=HEADERS).status_code == 403

    def test_signing_out(self, app):
        """The page leads to the proxy's sign-out; to the sign-in, the proxy would sign in again."""
        visitor = signed_in(app)
        page = security(visitor).text
        token = page.split('name="csrf_token" value="')[1].split('"')[0]

        response = visitor.post("/admin/sign-out", {"csrf_token": token}, headers=HEADERS)

        assert response.location == "/admin/signed-out"
        assert "https://proxy.test/out" in visitor.get(response.location, headers=HEADERS).text
        assert security(visitor).status_code == 303


@pytest.mark.parametrize("name", ["x@other.test", "ann, root@example.com", "\u00e9", "x" * 201, "  "])
def test_who_may_not_sign_in(app, services, name):
    visitor = Visitor(app, PROXY)

    response = visitor.get("/admin/sign-in", headers={"X-Forwarded-User": name.encode().decode("latin-1")})

    assert response.status_code in (200, 403)
    assert security(visitor, {"X-Forwarded-User": name.encode().decode("latin-1")}).status_code == 303


def test_an_operator_with_a_password_is_not_taken_over(app, services):
    services.operator_stores.operators.create("ann@example.com", PASSWORD)

    response = Visitor(app, PROXY).get("/admin/sign-in", headers=HEADERS)

    assert response.status_code == 403
    assert "signs in another way" in response.text


def test_connected_on_the_security_page(app, services):
    visitor = Visitor(app, PROXY)
    visitor.sign_in("root")
    form = {"csrf_token": visitor.csrf_token("/admin/security"), "password": PASSWORD}
    assert visitor.post("/admin/security/link", form, headers=HEADERS).status_code == 303

    assert "Your sign-in, root" in security(signed_in(app)).text
