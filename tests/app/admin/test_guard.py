"""Who gets past the guard, and where everybody else is led."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from app.admin.guard import HOME, local_path
from app.stores.records.operators import NewAdminToken, Role
from tests.support.admin import OPEN_ENDPOINTS, SlowBody, Visitor


class TestEveryView:
    def test_without_a_session_only_sign_in_answers(self, app, ann):
        """Every page redirects to the sign-in, and every API call is refused: the test walks the url_map."""
        visitor = Visitor(app)
        requests_made = 0
        for rule in app.url_map.iter_rules():
            if rule.endpoint in OPEN_ENDPOINTS | {"sign_in.sign_out"}:
                continue
            values = dict.fromkeys(rule.arguments, "1")
            path = app.url_map.bind("gate.test").build(rule.endpoint, values, force_external=False)
            for method in rule.methods - {"HEAD"}:
                response = visitor.client.open(path, method=method)
                requests_made += 1
                if path.startswith("/admin/api/"):
                    assert response.status_code == 401, (method, path)
                    assert response.json["error"]["code"] == "not_signed_in"
                else:
                    assert response.status_code == 303, (method, path)
                    assert urlsplit(response.location).path == "/admin/sign-in"
        assert requests_made > 5


class TestPages:
    def test_a_stranger_is_led_to_the_sign_in_and_back(self, visitor, ann):
        response = visitor.get("/admin/a-page?pool=b&x=ä")

        where = urlsplit(response.location)
        assert (response.status_code, where.netloc, where.path) == (303, "", "/admin/sign-in")
        next_page = parse_qs(where.query)["next"][0]
        back = visitor.sign_in(next=next_page)
        assert (back.status_code, urlsplit(back.location).path) == (303, "/admin/a-page")
        assert visitor.get(back.location).status_code == 200

    def test_who_is_signed_in_is_the_actor(self, inside):
        assert inside.get("/admin/a-page").json == {"name": "ann", "via": "page", "address": "192.0.2.2"}

    def test_a_chunked_form_is_refused_unread(self, visitor):
        """Even without a session: reading it in chunks of a byte would take the worker's time."""
        response = visitor.client.post("/admin/sign-in", headers={"Transfer-Encoding": "chunked"})

        assert response.status_code == 400
        assert "Content-Length" in response.text

    def test_an_admin_token_opens_no_page(self, visitor, services, ann):
        _, secret = services.operator_stores.admin_tokens.create(NewAdminToken("ci", "ann"))

        response = visitor.get("/admin/a-page", headers={"Authorization": f"Bearer {secret}"})

        assert response.status_code == 303


class TestCalls:
    def test_a_stranger(self, visitor):
        response = visitor.get("/admin/api/a-call")

        assert response.status_code == 401
        assert response.json["error"]["type"] == "authentication_error"

    def test_a_session(self, inside):
        assert inside.get("/admin/api/a-call").json["via"] == "api"

    def test_a_token_needs_no_csrf_token(self, visitor, services):
        _, secret = services.operator_stores.admin_tokens.create(NewAdminToken("ci", "ann"))

        response = visitor.post("/admin/api/a-call", headers={"Authorization": f"Bearer {secret}"})

        assert response.json == {"name": "token:ci", "via": "api", "address": "192.0.2.1"}

    @pytest.mark.parametrize(
        "header",
        ["Bearer pgadm-nothing", "Bearer ", "", "Basic YTpi", "Bearer sk-pg-a-x", "Bearer a b"],
    )
    def test_what_is_no_token_is_refused_even_with_a_session(self, inside, header):
        assert inside.get("/admin/api/a-call", headers={"Authorization": header}).status_code == 401

    def test_a_revoked_token(self, visitor, services):
        _, secret = services.operator_stores.admin_tokens.create(NewAdminToken("ci", "ann"))
        services.operator_stores.admin_tokens.revoke("ci")

        response = visitor.get("/admin/api/a-call", headers={"Authorization": f"Bearer {secret}"})

        assert response.status_code == 401


class TestForgery:
    """What a session changes must come from a page of ours."""

    @pytest.mark.parametrize("path", ["/admin/a-page", "/admin/api/a-call"])
    def test_without_a_token(self, inside, path):
        assert inside.post(path, {"x": "1"}).status_code == 403

    @pytest.mark.parametrize("path", ["/admin/a-page", "/admin/api/a-call"])
    def test_with_the_token_of_another_user(self, app, inside, path):
        foreign = Visitor(app).csrf_token("/admin/sign-in")

        assert inside.post(path, {"csrf_token": foreign}).status_code == 403
        assert inside.post(path, headers={"X-CSRFToken": foreign}).status_code == 403

    @pytest.mark.parametrize("path", ["/admin/a-page", "/admin/api/a-call"])
    def test_with_its_own(self, inside, path):
        token = inside.csrf_token("/admin/security")

        assert inside.post(path, {"csrf_token": token}).status_code == 200
        assert inside.post(path, headers={"X-CSRFToken": token}).status_code == 200

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_from_another_site_with_a_token_that_fits(self, inside, site):
        token = inside.csrf_token("/admin/security")

        response = inside.post("/admin/a-page", {"csrf_token": token}, headers={"Sec-Fetch-Site": site})

        assert response.status_code == 403

    def test_a_token_from_before_the_sign_in(self, visitor, ann):
        before = visitor.csrf_token("/admin/sign-in")
        visitor.sign_in()

        assert visitor.post("/admin/a-page", {"csrf_token": before}).status_code == 403


class TestLocalPath:
    @pytest.mark.parametrize("path", ["/admin/", "/admin/keys", "/admin/p/b/requests?key=a%20b&status=error"])
    def test_local_paths(self, path):
        assert local_path(path) == path

    @pytest.mark.parametrize(
        "path",
        [
            None,
            "",
            "https://evil.test/admin/",
            "//evil.test/admin/",
            "/\\evil.test",
            "/admin/\\evil.test",
            "/admin//evil.test",
            "/admin/../../evil",
            "/admin/%2e%2e/v1",
            "/admin/%2f%2fevil.test",
            "/admin.evil.test",
            "/administration",
            "/admin/\r\nX: y",
            "/admin/%0d%0aX: y",
            "javascript:alert(1)",
            "admin/",
            " /admin/",
            "/admin/sign-in?next=/admin/sign-in",
            "/admin/api/keys",
            "/admin/" + "x" * 3000,
        ],
    )
    def test_anything_else_is_the_first_page(self, path):
        assert local_path(path) == HOME


class TestBodies:
    """Who holds a body back uses no right that ended meanwhile."""

    @pytest.mark.parametrize("path", ["/admin/a-page", "/admin/api/a-call"])
    def test_a_session_that_ends(self, inside, services, path):
        response = inside.send_slowly(
            path,
            {},
            lambda: services.operator_stores.sessions.end_all("ann"),
            shown_at="/admin/security",
        )

        assert response.status_code == (401 if "api" in path else 303)

    @pytest.mark.parametrize("path", ["/admin/a-page", "/admin/api/a-call"])
    def test_a_role_that_changes(self, inside, services, path):
        operators = services.operator_stores.operators
        operators.create("bea", "correct horse battery")

        response = inside.send_slowly(
            path, {}, lambda: operators.set_role("ann", Role.VIEWER), shown_at="/admin/security"
        )

        assert response.status_code == 403
        assert "Your role is viewer" in response.text

    def test_a_token_that_is_revoked(self, visitor, services):
        tokens = services.operator_stores.admin_tokens
        _, secret = tokens.create(NewAdminToken("ci", "ann"))
        body = SlowBody(b"{}", lambda: tokens.revoke("ci"))

        response = visitor.post(
            "/admin/api/a-call",
            input_stream=body,
            content_length=2,
            headers={"Authorization": f"Bearer {secret}"},
        )

        assert response.status_code == 401
