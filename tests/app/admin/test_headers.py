"""Response headers for browsers, and the appearance of failures."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from app.admin import create_admin_app
from app.admin.client_timeouts import ANONYMOUS_BYTES
from app.wiring import Services
from tests.support.admin import Visitor, admin_app, services_on
from tests.support.ports import free_port

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}
PATHS = [
    "/admin/",
    "/admin/sign-in",
    "/admin/a-page",
    "/admin/nothing",
    "/admin/api/a-call",
    "/admin/api/nothing",
]


@pytest.mark.parametrize("path", [*PATHS, "/admin/static/poolgate.css", "/admin/static/nothing.css"])
def test_every_response_is_guarded(inside, path):
    headers = inside.get(path).headers

    assert set(headers["Content-Security-Policy"].split("; ")) == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", PATHS)
def test_only_static_files_are_cached(app, inside, path):
    assert inside.get(path).headers["Cache-Control"] == "no-store"
    assert Visitor(app).get(path).headers["Cache-Control"] == "no-store"
    assert "no-store" not in inside.get("/admin/static/poolgate.css").headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/a-page", "/admin//a-page", "/admin/a-page/"])
def test_no_redirect_repeats_the_host(visitor, ann, path):
    response = visitor.get(path, headers={"Host": "evil.test", "X-Forwarded-Host": "evil.test"})

    assert "evil.test" not in str(response.headers) + response.text
    assert response.status_code in (303, 404)


def test_templates_need_no_more_than_the_policy_lets_through():
    """No script or style stands in a page, and nothing is fetched from elsewhere."""
    templates = Path(create_admin_app.__code__.co_filename).parent / "templates"
    for template in templates.rglob("*.html"):
        text = template.read_text()
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?! src=)|javascript:", text), template
        assert not re.search(r"""(src|action)=["'](https?:)?//""", text), template


class TestFailures:
    def test_nothing_there(self, inside):
        page, call = inside.get("/admin/nothing"), inside.get("/admin/api/nothing")

        assert (page.status_code, page.mimetype) == (404, "text/html")
        assert (call.status_code, call.json["error"]["code"]) == (404, "not_found")

    def test_a_method_it_does_not_take(self, inside):
        assert inside.client.put("/admin/sign-in").status_code == 405
        assert inside.client.delete("/admin/api/a-call", base_url="http://gate.test").status_code == 405

    def test_an_internal_error_shows_no_details(self, services, ann):
        app = admin_app(services)

        @app.get("/admin/broken")
        @app.get("/admin/api/broken")
        def broken() -> str:
            raise RuntimeError("a secret inside")

        for path in ("/admin/broken", "/admin/api/broken"):
            response = Visitor(app).get(path)
            assert response.status_code == 500
            assert "a secret inside" not in response.text
            assert "Traceback" not in response.text

    def test_the_store_is_away(self, tmp_path):
        services = services_on(f"redis://127.0.0.1:{free_port()}", tmp_path)
        visitor = Visitor(admin_app(services))

        for path in ("/admin/sign-in", "/admin/first-start"):
            page = visitor.get(path)
            assert (page.status_code, page.mimetype) == (503, "text/html")
            assert page.headers["Retry-After"] == "1"
            assert "Traceback" not in page.text
        call = visitor.get("/admin/api/a-call", headers={"Authorization": f"Bearer pgadm-{'x' * 43}"})
        assert (call.status_code, call.json["error"]["code"]) == (503, "store_unavailable")

    def test_a_body_that_is_too_large(self, inside, services):
        size = services.settings.max_body_bytes + 1

        assert _announced(inside, "/admin/a-page", size).status_code == 413

    def test_a_stranger_may_send_less(self, visitor, ann):
        assert _announced(visitor, "/admin/sign-in", ANONYMOUS_BYTES + 1).status_code == 413
        assert _announced(visitor, "/admin/a-page", 10**9).status_code == 303


def _announced(visitor: Visitor, path: str, size: int):
    """Send a form that declares a length of *size* bytes."""
    return visitor.client.post(
        path,
        base_url="http://gate.test",
        data={"x": "1"},
        environ_overrides={"CONTENT_LENGTH": str(size)},
    )


@pytest.mark.parametrize(("admin", "has_link"), [("on", True), ("127.0.0.1:9000", False)])
def test_the_link_to_the_guide(services: Services, ann: str, admin: str, has_link: bool) -> None:
    """The guide is on the port of the gateway."""
    services = replace(services, settings=replace(services.settings, admin=admin))
    visitor = Visitor(admin_app(services))
    visitor.sign_in()

    assert ('href="/docs"' in visitor.get("/admin/p/default/").text) is has_link
