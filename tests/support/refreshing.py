"""
A process that renews tokens as a web worker does: for tests of many at once, and of one that dies.

    python -m tests.support.refreshing '{"pool", "name", "forks", "refreshers", "rotation", "die_at"}'

prints `ready`, waits for a line on its standard input, then has each refresher of each of its
forks (a real process has one refresher) renew the account's tokens until they have that rotation,
and prints a line for each fork, {"rotations": […], "without": n}: where each refresher arrived, and
how often one came back without tokens. `die_at` is the step after which a process kills itself:
leased, answered or stored.
"""

from __future__ import annotations

# ruff: noqa: E402  the patch comes before any import that would load ssl
from gevent import monkey

monkey.patch_all()

import os
import signal
import sys
from typing import Any

import gevent
import orjson

from app import log
from app.accounts.account import Account
from app.accounts.token_refresh import RefreshTimes, TokenRefresher
from app.config import Settings
from app.upstream import oauth
from app.wiring import Services, build

POLL_SECONDS = 0.005
LEASE_SECONDS = 0.5  # of one that dies, so that a survivor does not wait
WAIT_SECONDS = 240.0  # of the others: an issuer that waits for 64 processes on a busy machine is slow


def refresher_of(services: Services, die_at: str = "") -> TokenRefresher:
    def exchange(refresh_token: str, reason: str) -> dict[str, Any]:
        _die("leased", die_at)
        response = services.upstream.oauth.refresh(refresh_token, reason)
        _die("answered", die_at)
        return response

    refresher = TokenRefresher(
        services.credentials,
        exchange,
        times=RefreshTimes(
            lease=LEASE_SECONDS if die_at else 2 * WAIT_SECONDS, max_wait=WAIT_SECONDS, poll=POLL_SECONDS
        ),
    )
    keep = refresher._keep

    def retained(*args: Any) -> Any:
        result = keep(*args)
        _die("stored", die_at)
        return result

    refresher._keep = retained  # type: ignore[method-assign]
    return refresher


def _die(step: str, die_at: str) -> None:
    if step == die_at:
        os.kill(os.getpid(), signal.SIGKILL)


def _renew_until(rotation: int, refresher: TokenRefresher, pool: str, account: Account) -> tuple[int, int]:
    without = 0
    while account.rotation < rotation and without < 10:
        found = refresher.refresh_after_401(pool, account)
        without += found is None
        account = found or account
    return account.rotation, without


def _run(requested: dict[str, Any]) -> str:
    services = build(Settings.from_environment(os.environ))
    account = services.accounts.find(requested["pool"], requested["name"])
    refreshers = [refresher_of(services, requested["die_at"]) for _ in range(requested["refreshers"])]
    runs = [
        gevent.spawn(_renew_until, requested["rotation"], each, requested["pool"], account)
        for each in refreshers
    ]
    gevent.joinall(runs, raise_error=True)
    rotations, without = zip(*(run.value for run in runs), strict=True)
    return orjson.dumps({"rotations": rotations, "without": sum(without)}).decode()


def main() -> None:
    """Each process builds its own services once it is sent off, as a web worker does after its fork."""
    log.configure("error")
    oauth.RESPONSE_SECONDS = WAIT_SECONDS
    requested = orjson.loads(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    children: list[int] = []
    for _ in range(requested["forks"] - 1):
        if not (child := os.fork()):
            children.clear()  # its siblings are not its own
            break
        children.append(child)
    reply = _run(requested)
    os.write(sys.stdout.fileno(), reply.encode() + b"\n")  # one write: lines of processes do not mix
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
