"""
Where a case is played: a real gateway, a scripted upstream, and a pool for each case.

Two cases share nothing but the processes, so each can be judged alone while others run.
"""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests

from app.ledger.dead_letters import FILE_NAME
from app.limits.limit_syntax import parse_limit
from app.stores import keys
from tests.fuzz.calls import authorization
from tests.fuzz.case import Call, Case, Json
from tests.fuzz.ordinary import HONEST
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.upstream_client import ScriptedUpstream, Seen

TIMEOUT_SECONDS = 40
TOTAL_SECONDS = 10.0
SETTLED_SECONDS = 30.0  # for what is under way when the client has its response
TIMEOUT = dict.fromkeys(
    ("headers", "first_progress", "first_progress_reasoning", "idle", "idle_reasoning"), 1.5
)
ACCOUNTS = "ab"


@dataclass(slots=True)
class Heard:
    """
    What a client received; *broken*: why its response did not come to its end, if it did not.

    *seen*: the requests that its upstreams received for it.
    """

    call: Call
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    broken: str = ""
    seen: list[Seen] = field(default_factory=list)

    @property
    def request_id(self) -> str | None:
        return self.headers.get("x-poolgate-request-id")


@dataclass(slots=True)
class Outcome:
    """A finished case, and everything known about it."""

    case: Case
    pool: PoolOfTest
    heard: list[Heard]
    limits: list[Json]
    log: list[Json]
    turns: list[Json]
    settled: bool


@dataclass(frozen=True, slots=True)
class Watch:
    """What the gateway logs, and which turns of its event loops are long, from a moment on."""

    log_path: Path
    turns_path: Path
    log_from: int
    turns_from: int

    def log(self) -> list[Json]:
        return list(_lines(self.log_path, self.log_from))

    def turns(self) -> list[Json]:
        return list(_lines(self.turns_path, self.turns_from))


class Stage:
    def __init__(self, gateway: Gateway, upstream: ScriptedUpstream, folder: Path) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self._home = folder / "home"
        self.log_path, self._turns = folder / "log", folder / "turns"
        self.client: Any = gateway.services.scripts.client
        self.closing = ExitStack()  # what a kind of cases has started for itself

    def document(self) -> Json:
        response = requests.get(f"{self.gateway.url}/openapi.json", timeout=TIMEOUT_SECONDS)
        document: Json = response.json()
        return document

    def play(self, case: Case) -> Outcome:
        watch = self.watch()
        pool = self.gateway.pool()
        upstream = self.upstream.scoped(pool.name)
        limits = _limits(case)
        self._prepare(case, pool, upstream)
        secret = pool.key(limits=tuple(limits))
        heard: list[Heard] = []
        settled, begun = True, [time.time()]
        for call in case.calls:
            heard.append(send(self.gateway.url, call, authorization(call.path, secret)))
            settled &= self._settled(pool)
            begun.append(time.time())
        seen = upstream.log()
        for each, began, ended in zip(heard, begun[:-1], begun[1:], strict=True):
            each.seen = [one for one in seen if began <= one.at < ended]
        upstream.reset()
        return Outcome(case, pool, heard, limits, watch.log(), watch.turns(), settled)

    def watch(self) -> Watch:
        """Return what is written from now on."""
        return Watch(self.log_path, self._turns, _size(self.log_path), _size(self._turns))

    def dead_letters(self) -> list[str]:
        """Return the settlements that the store refused: there must be none."""
        path = self._home / FILE_NAME
        return [f"a dead letter: {line}" for line in path.read_text().splitlines()] if path.exists() else []

    def forget(self, pool: PoolOfTest) -> None:
        """Remove a pool and all that it has."""
        names = list(self.client.scan_iter(keys.root(pool.name) + "*", count=10_000))
        if names:
            self.client.delete(*names)
        self.client.srem(keys.POOLS, pool.name)

    def _prepare(self, case: Case, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        settings = {"time_limits": {"*": {**TIMEOUT, "total": TOTAL_SECONDS}}}
        pool.set(policy="ordered", settings=orjson.dumps(settings).decode())
        for group, (name, kind) in enumerate(zip(ACCOUNTS, case.kinds, strict=False)):
            more: Json = {"group": group}
            base_url = upstream.base_url(name)
            if kind == "chatgpt":
                base_url, more["chatgpt_account_id"] = f"{upstream.root_url(name)}/backend-api", "acc-1"
            elif kind != "openai":
                kind, more["protocols"] = "compatible", (kind,)
            pool.account(name, base_url, kind=kind, **more)
        upstream.script(*(play.steps for play in case.plays), account="a", path="")
        upstream.script(HONEST, account="b", path="")

    def _settled(self, pool: PoolOfTest) -> bool:
        """Wait until the pool has nothing open; return whether that came about."""
        deadline = time.monotonic() + SETTLED_SECONDS
        while pool.open_leases() or pool.open_requests():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True


@contextmanager
def running_stage(redis_url: str, folder: Path, *, workers: int = 1) -> Iterator[Stage]:
    upstream = ScriptedUpstream().start()
    environ = {
        "GUNICORN_CMD_ARGS": "--config=tests/fuzz/turns.py",
        "FUZZ_TURNS": str(folder / "turns"),
        # nothing that a case adds by default may lead to a real service
        "OPENAI_BASE_URL": upstream.base_url("openai"),
        "POOLGATE_CHATGPT_BASE_URL": f"{upstream.root_url('chatgpt')}/backend-api",
        "POOLGATE_OAUTH_ISSUER": upstream.root_url("issuer"),
    }
    device = {"device_auth_id": "d", "user_code": "CODE", "interval": "0.01"}
    upstream.script({"play": "json", "body": device}, account="issuer", path="/usercode")
    upstream.script({"play": "json", "status": 403, "body": {}}, account="issuer", path="/deviceauth/token")
    try:
        with (
            (folder / "log").open("wb") as log,
            running_gateway(redis_url, folder / "home", workers=workers, stderr=log, **environ) as gateway,
        ):
            stage = Stage(gateway, upstream, folder)
            with stage.closing:
                yield stage
    finally:
        upstream.stop()


def _limits(case: Case) -> list[Json]:
    if case.key == "none":
        return []
    words = (f"{case.budget} total_tokens/ever", "100 usd/month", "1000 requests/day", "3 parallel_requests")
    return [parse_limit(each, mode=case.key).to_json() for each in words]


def send(url: str, call: Call, credential: str) -> Heard:
    """Make *call*, with *credential* as its Authorization unless that is empty."""
    heard = Heard(call)
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_SECONDS)
    headers = {**({"Authorization": credential} if credential else {}), **call.headers}
    try:
        connection.request(call.method, call.path, call.body or None, headers)
        response = connection.getresponse()
        heard.status = response.status
        heard.headers = {name.lower(): value for name, value in response.getheaders()}
        if not call.leaves:
            heard.body = response.read()
    except http.client.IncompleteRead as error:
        heard.body, heard.broken = error.partial, "IncompleteRead"
    except (OSError, http.client.HTTPException, ValueError) as error:
        heard.broken = f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return heard


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return os.stat(path).st_size
    return 0


def _lines(path: Path, start: int) -> Iterator[Json]:
    """Yield the lines of JSON from *start*; one that is none is the `text` of an entry."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            try:
                found = orjson.loads(line)
            except ValueError:
                found = None
            yield found if isinstance(found, dict) else {"text": line.decode(errors="replace").rstrip()}
