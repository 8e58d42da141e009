"""The client of the scripted upstream for tests."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

ROOT = Path(__file__).parents[2]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that the upstream received; `tests.support.upstream_log.Seen` documents the fields."""

    id: int
    account: str
    path: str
    query: str
    method: str
    headers: dict[str, str]
    body: Json | None
    body_bytes: int
    connection: int
    play: str | None
    at: float
    status: int | None
    bytes_sent: int
    gate: str | None
    end: str | None
    ended_at: float | None
    billed: dict[str, int]


class ScriptedUpstream:
    """
    A handle on one process or, by `scoped`, on the accounts of one test in it.

    Accounts need no declaration: `base_url("a")` is one. Two tests that both have an account `a` do not
    interfere, because a scope puts its own name before it.
    """

    def __init__(self, port: int = 0, scope: str = "") -> None:
        self.port = port
        self._scope = scope
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, address: str = "127.0.0.1") -> Self:
        """Start the process, listening at *address*. It ends by `stop`, or with its parent."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.upstream", address],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.port = json.loads(self._process.stdout.readline())["port"]
        return self

    def stop(self) -> None:
        assert self._process is not None
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)

    def scoped(self, scope: str) -> ScriptedUpstream:
        """Return a handle that sees only its own accounts."""
        return ScriptedUpstream(self.port, f"{scope}.")

    def root_url(self, account: str = "a") -> str:
        """Return the URL below which every path belongs to this account."""
        return f"http://127.0.0.1:{self.port}/{self._scope}{account}"

    def base_url(self, account: str = "a") -> str:
        """Return the base URL that an OpenAI-compatible account has."""
        return f"{self.root_url(account)}/v1"

    def script(
        self,
        *plays: Json,
        account: str = "*",
        model: str = "*",
        path: str | None = None,
        repeat: str = "last",
    ) -> None:
        """
        Set the plays for requests to *account* (or all) for *model* (or all).

        *path* is the end of the path; without it, the plays are for any model call. After the last play
        follows the `last` one again, the first (`cycle`), or what would be played without a script (`once`).
        """
        script = {"account": self._scope + account, "model": model, "path": path, "repeat": repeat}
        self._post("/_script", {**script, "plays": plays})

    def log(self, account: str = "*") -> list[Seen]:
        """Return every request seen so far, in order."""
        return self._seen(self._get("/_log", account=self._scope + account)[1])

    def take(self, account: str = "*") -> list[Seen]:
        """Return every request that ended since the last call."""
        return self._seen(self._post("/_take", {"account": self._scope + account}))

    def wait_for(
        self,
        count: int = 1,
        *,
        account: str = "*",
        path: str = "",
        end: str | None = None,
        gate: str | None = None,
        timeout_seconds: float = 10,
    ) -> list[Seen]:
        """
        Return the matching requests as soon as there are *count*.

        *end* is how they ended (`any` for all), *gate* the gate at which they wait. Raises TimeoutError, with
        the requests so far.
        """
        expected = {"path": path, "end": end, "gate": gate, "count": count, "timeout": timeout_seconds}
        given = {name: value for name, value in expected.items() if value is not None}
        status, entries = self._get("/_wait", account=self._scope + account, **given)
        if status != 200:
            raise TimeoutError(f"expected {given}, matching so far {self._seen(entries)}, all {self.log()}")
        return self._seen(entries)

    def release(self, gate: str) -> None:
        """Open *gate* for all plays that wait there, and for later ones."""
        self._post("/_release", {"gate": gate})

    def billed(self) -> dict[str, dict[str, int]]:
        """Return requests, input_tokens, cached_tokens and output_tokens by account."""
        sums: dict[str, dict[str, int]] = self._get("/_billed", account=self._scope + "*")[1]
        return {account.removeprefix(self._scope): sum_ for account, sum_ in sums.items()}

    def reset(self) -> None:
        """Remove every script, gate and logged request, and close connections that still play."""
        self._post("/_reset", {"account": self._scope + "*"})

    def _seen(self, entries: list[Json]) -> list[Seen]:
        return [Seen(**{**each, "account": each["account"].removeprefix(self._scope)}) for each in entries]

    def _get(self, call: str, **query: Any) -> tuple[int, Any]:
        timeout_seconds = 10 + float(query.get("timeout", 0))
        return self._call("GET", f"{call}?{urlencode(query)}", None, timeout_seconds)

    def _post(self, call: str, body: Json) -> Any:
        return self._call("POST", call, json.dumps(body), 10)[1]

    def _call(self, method: str, path: str, body: str | None, timeout_seconds: float) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_seconds)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            payload = json.load(response)
        finally:
            connection.close()
        if response.status not in (200, 408):
            raise ValueError(payload["error"]["message"])
        return response.status, payload
