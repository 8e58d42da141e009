"""What must work after a case, whatever was stored in its pool: reading it in every way, and a request."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import requests
from click.testing import CliRunner

from app.cli import main
from app.stores.records.operators import NewAdminToken, TokenScope
from tests.fuzz.case import Call
from tests.fuzz.judge import envelope
from tests.fuzz.stage import Stage, send
from tests.support.gateway import PoolOfTest

PASSWORD = "correct horse battery"
SLOWEST_SECONDS = 40.0
COMMANDS = (
    *("account list", "account list --json", "key list", "key list --json", "price list", "pool list"),
    *("pool limit list", "usage", "request list"),
)
READS = (
    *("accounts", "keys", "prices", "requests", "usage/series", "usage/refusals", "usage/series?by=account"),
    *("health", "pools/@POOL@", "pools/@POOL@/limits"),
)
PAGES = (
    *("", "accounts", "keys", "requests", "settings", "settings/prices", "settings/audit", "start"),
    *("settings/routing", "settings/time-limits", "limits/of-pool"),
)
CALLERS_READS = ("/v1/models", "/v1/models?client_version=1", "/v1/models/m", "/api/codex/usage", "/v1/usage")
HELLO = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 40}
_commands = threading.Lock()  # a command's output is the process's


class Operator:
    """Signed in to the pages, with tokens for the admin API. One for a whole run."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        operator_stores = stage.gateway.services.operator_stores
        self._name = f"fuzz-{secrets.token_hex(4)}"  # other tests have operators in this store
        operator_stores.operators.create(self._name, PASSWORD)
        tokens, reading = operator_stores.admin_tokens, TokenScope.READ
        self.full = f"Bearer {tokens.create(NewAdminToken('fuzz', self._name))[1]}"
        self.read = f"Bearer {tokens.create(NewAdminToken('fuzz-read', self._name, scope=reading))[1]}"
        self._cookies = self._signed_in()

    def _signed_in(self) -> Any:
        with requests.Session() as session:
            url = f"{self._stage.gateway.url}/admin/sign-in"
            page = session.get(url, timeout=SLOWEST_SECONDS).text
            token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
            form = {"csrf_token": token, "name": self._name, "password": PASSWORD, "code": ""}
            session.post(url, form, timeout=SLOWEST_SECONDS, allow_redirects=False).raise_for_status()
            return session.cookies

    def document(self) -> dict[str, Any]:
        """Return the API document of the admin API."""
        url = f"{self._stage.gateway.url}/admin/api/openapi.json"
        found = requests.get(url, headers={"Authorization": self.full}, timeout=SLOWEST_SECONDS)
        document: dict[str, Any] = found.json()
        return document

    def faults(self, name: str, pool: PoolOfTest, secret: str) -> Iterator[str]:
        """
        Yield what does not work in *pool*; *secret* is of a key that was not touched.

        Not everything is read after each case; *name* of the case decides what is.
        """
        chance = Random(name)
        yield from self._reads(pool, chance.sample(READS, 4))
        yield from self._pages(pool, chance.sample(PAGES, 3))
        yield from self._callers(secret, chance.sample(CALLERS_READS, 3))
        yield from self._command_line(pool, chance.sample(COMMANDS, 2))

    def _reads(self, pool: PoolOfTest, paths: Sequence[str]) -> Iterator[str]:
        for path in paths:
            joint = "&" if "?" in path else "?"
            query = "" if path.startswith("pools/") else f"{joint}pool={pool.name}"
            address = f"/admin/api/{path.replace('@POOL@', pool.name)}{query}"
            heard = send(self._stage.gateway.url, Call("GET", address), self.full)
            if heard.status != 200:
                yield f"afterwards {address}: {heard.status} {heard.broken} {heard.body[:300]!r}"

    def _pages(self, pool: PoolOfTest, paths: Sequence[str]) -> Iterator[str]:
        accounts = [f"accounts/{one.name}" for one in self._stage.gateway.services.accounts.all(pool.name)]
        for path in (*paths, *accounts[:1]):
            url = f"{self._stage.gateway.url}/admin/p/{pool.name}/{path}"
            found = requests.get(url, cookies=self._cookies, timeout=SLOWEST_SECONDS, allow_redirects=False)
            if found.status_code != 200:
                yield f"afterwards {path!r}: {found.status_code} {found.text[-300:]!r}"

    def _callers(self, secret: str, paths: Sequence[str]) -> Iterator[str]:
        url, credential = self._stage.gateway.url, f"Bearer {secret}"
        for path in paths:
            heard = send(url, Call("GET", path), credential)
            if heard.status not in (200, 404):
                yield f"afterwards {path}: {heard.status} {heard.broken} {heard.body[:300]!r}"
        for body in (HELLO, {**HELLO, "stream": True}):
            data = json.dumps(body).encode()
            call = Call("POST", "/v1/chat/completions", {"content-type": "application/json"}, data)
            heard = send(url, call, credential)
            if heard.broken or not heard.status:
                yield f"afterwards a request broke: {heard.status} {heard.broken}"
            elif heard.status >= 400:
                yield from (f"afterwards {fault}" for fault in envelope(heard))

    def _command_line(self, pool: PoolOfTest, commands: Sequence[str]) -> Iterator[str]:
        settings = self._stage.gateway.services.settings
        environ = {
            "REDIS_URL": settings.redis_url,
            "POOLGATE_SECRET_KEYS": settings.secret_keys[0],
            "POOLGATE_STORE_TIMEOUT_MS": "5000",
            "POOLGATE_HOME": str(settings.home),
        }
        try:
            self._stage.gateway.services.doctor.check(pool.name)
        except Exception as error:
            yield f"afterwards doctor: {error!r}"
        for command in commands:
            words = [*command.split(), *(() if command == "pool list" else ("--pool", pool.name))]
            with _commands:
                done = CliRunner().invoke(main, words, env=environ)
            if done.exit_code:
                yield f"afterwards {command}: {done.exit_code} {done.exception!r} {done.output[-300:]}"
