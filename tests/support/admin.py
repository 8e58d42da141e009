"""The admin application as a browser uses it, in this process, over a real Redis."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from wsgiref.types import WSGIApplication

from cryptography.fernet import Fernet
from flask import Blueprint, Flask
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.test import TestResponse

from app import create_app
from app.admin import create_admin_app
from app.admin.guard import actor, protect
from app.config import Settings
from app.operators import totp
from app.stores import keys
from app.web_wiring import WebServices, build_web
from tests.support.authenticator import Authenticator

OPEN_ENDPOINTS = {  # views without authentication
    *("static", "sign_in.sign_in", "sign_in.first_start", "sign_in.signed_out", "invitation.accept"),
    *("single_sign_on.begin", "single_sign_on.finish", "root.home", "root.icon"),
}
PASSWORD = "correct horse battery"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


def services_on(redis_url: str, home: Path) -> WebServices:
    key = Fernet.generate_key().decode()
    return build_web(Settings(redis_url=redis_url, home=home, secret_keys=(key,), store_timeout_seconds=5.0))


def api_services(redis_url: str, home: Path, issuer_url: str, chatgpt_url: str = "") -> WebServices:
    """Return services with the pool `default`; *chatgpt_url* is the base URL of ChatGPT accounts."""
    environ = {
        "REDIS_URL": redis_url,
        "POOLGATE_HOME": str(home),
        "POOLGATE_SECRET_KEYS": Fernet.generate_key().decode(),
        "POOLGATE_STORE_TIMEOUT_MS": "5000",
        "POOLGATE_OAUTH_ISSUER": issuer_url,
    }
    if chatgpt_url:
        environ["POOLGATE_CHATGPT_BASE_URL"] = chatgpt_url
    services = build_web(Settings.from_environment(environ))
    services.pools.ensure("default")
    return services


class CompiledTemplates(BytecodeCache):
    """Templates compiled by an earlier test of the process; a changed template is compiled again."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if compiled := self._compiled.get(bucket.key):
            bucket.bytecode_from_string(compiled)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key] = bucket.bytecode_to_string()


_COMPILED = CompiledTemplates()


def gateway_of(services: WebServices) -> WSGIApplication:
    """Return the gateway's application, created by its first request: few tests of admin pages send one."""
    created = cache(partial(create_app, services))
    return lambda environ, start_response: created()(environ, start_response)


def admin_app(services: WebServices) -> Flask:
    """Return the application with two additional views: a page and an API call."""
    app = create_admin_app(services, gateway_of(services))
    app.jinja_env.bytecode_cache = _COMPILED
    for name, path, json in (("a_page", "/admin/a-page", False), ("a_call", "/admin/api/a-call", True)):
        blueprint = Blueprint(name, __name__)
        blueprint.add_url_rule(path, "show", _report, methods=["GET", "POST"])
        protect(blueprint, json=json)
        app.register_blueprint(blueprint)
    return app


def _report() -> dict[str, str]:
    who = actor()
    return {"name": who.name, "via": who.via, "address": who.address}


class SlowBody(BytesIO):
    """A request body; *event* happens before the body arrives."""

    def __init__(self, body: bytes, event: Callable[[], object]) -> None:
        super().__init__(body)
        self._event = event
        self._has_happened = False

    def read(self, size: int | None = -1, /) -> bytes:
        if not self._has_happened:
            self._has_happened = True
            self._event()
        return super().read(size)

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Visitor:
    """A browser with its own cookies, at its own address."""

    def __init__(self, app: Flask, address: str = "192.0.2.1", *, https: bool = False) -> None:
        self.client = app.test_client()
        self._where = {
            "buffered": True,  # otherwise an uploaded file stays open
            "environ_base": {"REMOTE_ADDR": address},
            "base_url": "https://gate.test" if https else "http://gate.test",
        }

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, **{**self._where, **more})  # type: ignore[arg-type]

    def post(self, path: str, form: dict[str, str] | None = None, **more: Any) -> TestResponse:
        """Send *form* unchanged: without a CSRF token, unless it has one."""
        return self.client.post(path, data=form, **self._where, **more)  # type: ignore[arg-type]

    def send(self, path: str, form: dict[str, str], *, shown_at: str | None = None) -> TestResponse:
        """Send *form* as the page at *shown_at* (default: *path*) would."""
        return self.post(path, {"csrf_token": self.csrf_token(shown_at or path), **form})

    def send_slowly(
        self, path: str, form: dict[str, str], event: Callable[[], object], *, shown_at: str | None = None
    ) -> TestResponse:
        """Send *form* as `send` does; *event* happens after its head and before its body has arrived."""
        body = urlencode({"csrf_token": self.csrf_token(shown_at or path), **form}).encode()
        return self.post(
            path,
            input_stream=SlowBody(body, event),
            content_length=len(body),
            content_type="application/x-www-form-urlencoded",
        )

    def csrf_token(self, path: str) -> str:
        found = _TOKEN.search(self.get(path).text)
        assert found, f"no form at {path}"
        return found[1]

    def sign_in(
        self, name: str = "ann", password: str = PASSWORD, code: str = "", **more: str
    ) -> TestResponse:
        return self.send("/admin/sign-in", {"name": name, "password": password, "code": code, **more})

    def is_signed_in(self) -> bool:
        return self.get("/admin/a-page").status_code == 200


def audited(services: WebServices) -> list[dict[str, Any]]:
    """Return the entries of the audit log, oldest first."""
    return services.audit.page().entries[::-1]


def everything_stored(client: Any) -> str:
    """Return all stored admin data, as text."""
    kinds = {"string": "get", "hash": "hgetall", "set": "smembers"}
    reply = []
    for key in client.scan_iter(keys.root(keys.SYSTEM) + "*"):
        kind = client.type(key)
        if kind == "stream":
            reply.append(str(client.xrange(key)))
        elif kind == "zset":
            reply.append(str(client.zrange(key, 0, -1)))
        else:
            reply.append(str(getattr(client, kinds[kind])(key)))
        reply.append(key)
    return "\n".join(reply)


def turn_on_second_factor(services: WebServices, name: str) -> tuple[Authenticator, list[str]]:
    """Return the authenticator app of *name*, whose current code is used, and the recovery codes."""
    app = Authenticator(services.operator_stores.operators.begin_second_factor(name))
    return app, services.operator_stores.operators.confirm_second_factor(name, app.at(totp.now()))
