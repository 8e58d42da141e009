"""
The entire service for tests: real gunicorn workers, a real Redis, a pool per test.

A test sets up its own pool through the same functions that the command line uses, so tests that share one
running service do not interfere.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any

import orjson
import requests
from cryptography.fernet import Fernet

from app.accounts.account import Account
from app.accounts.kinds import KINDS
from app.config import Settings
from app.stores import keys
from app.stores.records.limits import Limit
from app.web_wiring import WebServices, build_web
from tests.support.ports import free_port
from tests.support.redis import used_by_gateway

ROOT = Path(__file__).parents[2]
PATIENT = {"POOLGATE_STORE_TIMEOUT_MS": "5000"}  # long, because a busy machine must not fail a test
AS_SHIPPED: dict[str, str] = {"POOLGATE_STORE_TIMEOUT_MS": ""}  # for tests of these timeouts
_numbers = count(1)


class Gateway:
    """A running service. `pool()` creates a separate pool for a test."""

    def __init__(self, url: str, services: WebServices, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.services = services
        self.process = process

    def pool(self) -> PoolOfTest:
        pool = PoolOfTest(self, f"t{os.getpid()}-{next(_numbers)}")
        self.services.pools.ensure(pool.name)
        return pool

    def children(self) -> list[int]:
        """Process ids of the web workers."""
        return children_of(self.process.pid)


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class PoolOfTest:
    def __init__(self, gateway: Gateway, name: str) -> None:
        self.gateway = gateway
        self.name = name
        self._services = gateway.services
        self._client: Any = gateway.services.scripts.client

    def set(self, **fields: str) -> None:
        """Write fields of the pool's record: policy, settings, …"""
        self._client.hset(keys.pool(self.name), mapping=fields)

    def account(
        self, name: str, base_url: str, *, kind: str = "openai", has_answered: bool = True, **more: Any
    ) -> Account:
        """Add an account; one that *has_answered* has listed no models, so it is requested for any."""
        account = Account(
            "",
            name,
            kind,
            base_url,
            **({"protocols": KINDS[kind].protocols, "credential": f"sk-{name}"} | more),
        )
        added = self._services.accounts.add(self.name, account)
        if has_answered:
            self._services.accounts.list_models(self.name, added.id, [])
        return added

    def key(self, name: str = "k", **more: Any) -> str:
        if "limits" in more:
            more["limits"] = [
                limit if isinstance(limit, Limit) else Limit.from_json(limit) for limit in more["limits"]
            ]
        return self._services.api_keys.create(self.name, name, **more)[1]

    def post(
        self,
        path: str,
        body: Any,
        key: str | None = None,
        *,
        stream: bool = False,
        timeout: float = 60,
        **more: Any,
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers |= more.pop("headers", {})
        return requests.post(
            self.gateway.url + path, json=body, headers=headers, stream=stream, timeout=timeout, **more
        )

    def get(self, path: str, key: str | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return requests.get(self.gateway.url + path, headers=headers, timeout=30)

    def states(self) -> dict[str, str]:
        return {account.name: account.state for account in self._services.accounts.all(self.name)}

    def rows(self) -> list[dict[str, Any]]:
        """The ledger, oldest first."""
        entries = self._client.xrange(keys.ledger(self.name))
        return [orjson.loads(fields["row"]) for _, fields in entries]

    def wait_for_rows(self, number: int, seconds: float = 10) -> list[dict[str, Any]]:
        """
        Return the ledger when it has *number* rows: the last byte of a response may precede its settlement.
        """
        deadline = time.monotonic() + seconds
        while len(rows := self.rows()) < number and time.monotonic() < deadline:
            self._client.xread({keys.ledger(self.name): "$"}, block=100)
        assert len(rows) >= number, rows
        return rows

    def open_leases(self) -> int:
        leases: int = self._client.zcard(keys.leases(self.name))
        return leases

    def open_requests(self) -> int:
        return sum(1 for _ in self._client.scan_iter(keys.request(self.name, "*")))

    def waiting(self) -> int:
        """The number of requests that wait for an account."""
        waiting: int = self._client.zcard(keys.queue(self.name))
        return waiting

    def in_flight(self) -> int:
        return sum(account.in_flight for account in self._services.accounts.all(self.name))


@contextmanager
def running_gateway(
    redis_url: str,
    home: Path,
    *,
    workers: int = 2,
    stderr: IO[bytes] | None = None,
    host: str = "127.0.0.1",
    inside: Sequence[str] = (),
    app: str = "app.wsgi:app",
    **env: str,
) -> Iterator[Gateway]:
    """
    Start the service with *env*, wait until it is ready, and stop it at the end.

    *inside* is a command that runs it in another place, where *host* is its address; *app* is what gunicorn
    serves.
    """
    secret_key = Fernet.generate_key().decode()
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "POOLGATE_HOME": str(home),
        "REDIS_URL": redis_url,
        "POOLGATE_SECRET_KEYS": secret_key,
        "POOLGATE_BIND": host,
        "PORT": str(port),
        "WEB_CONCURRENCY": str(workers),
        "POOLGATE_LOG_LEVEL": "warning",
        **PATIENT,
        **env,
    }
    services = build_web(Settings.from_environment(environ | PATIENT))
    command = [*inside, sys.executable, "-m", "gunicorn", app]
    with used_by_gateway(redis_url):
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=stderr)
        try:
            url = f"http://{host}:{port}"
            _await_ready(url, process)
            yield Gateway(url, services, process)
        finally:
            process.terminate()
            process.wait(40)


@contextmanager
def background_worker(gateway: Gateway) -> Iterator[None]:
    """Run `python -m workers` for the accounts of *gateway*."""
    settings = gateway.services.settings
    environ = {
        "PATH": os.environ["PATH"],
        "POOLGATE_HOME": str(settings.home),
        "REDIS_URL": settings.redis_url,
        "POOLGATE_SECRET_KEYS": ",".join(settings.secret_keys),
        **PATIENT,
    }
    process = subprocess.Popen([sys.executable, "-m", "workers"], cwd=ROOT, env=environ)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _await_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{url}/health/ready", timeout=2).ok:
                return
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.05)
    raise RuntimeError(f"the gateway did not become ready; exit code {process.poll()}")
