"""What is wrong with an installation, and how to mend it: one function per question."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from app.errors import StoreUnavailable
from app.office.words import moment
from app.pool.account import Account
from app.quotas.spool import Spool
from app.stores import keys
from app.stores.client import store_errors
from app.stores.secrets import UnreadableSecret

if TYPE_CHECKING:
    from app.wiring import Services

LEAST_VERSION = (6, 2)
MOST_CLOCK_SECONDS = 2.0
FULL = 0.9  # of maxmemory
OVERDUE_MS = 60_000  # leases are swept within seconds where anything runs
WRONG, NOTE = "wrong", "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """`wrong` wants somebody to do what `mend` says; a `note` is good to know."""

    level: str
    where: str
    what: str
    mend: str = ""


def checkup(services: Services, pool: str | None) -> list[Finding]:
    """Return everything found, in *pool* or in all; nothing: all is well."""
    try:
        return [*_store(services), *_workers(services), *_spool(services), *_pools(services, pool)]
    except StoreUnavailable:
        return [Finding(WRONG, "redis", "it does not answer", "start it, or set REDIS_URL to where it is")]


def _store(services: Services) -> Iterator[Finding]:
    with store_errors():
        info: dict[str, Any] = services.scripts.client.info()
        seconds, micros = services.scripts.client.time()
    version = str(info.get("valkey_version") or info["redis_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < LEAST_VERSION:
        yield Finding(WRONG, "redis", f"its version is {version}", "update it to 6.2 or newer")
    most = int(info.get("maxmemory") or 0)
    if most and info.get("maxmemory_policy") != "noeviction":
        what = f"maxmemory-policy is {info.get('maxmemory_policy')}: it may forget accounts, keys and books"
        yield Finding(WRONG, "redis", what, "set it to noeviction")
    if most and int(info["used_memory"]) > FULL * most:
        yield Finding(WRONG, "redis", f"over {FULL:.0%} of its memory is in use", "give it more memory")
    if not info.get("aof_enabled"):
        yield Finding(
            NOTE, "redis", "it keeps no append-only file", "set appendonly yes to survive its restarts"
        )
    elif info.get("aof_last_write_status", "ok") != "ok":
        yield Finding(WRONG, "redis", "it cannot write its append-only file", "look at its disk")
    apart = seconds + micros / 1e6 - time.time()
    if abs(apart) > MOST_CLOCK_SECONDS:
        yield Finding(
            WRONG, "redis", f"its clock is {apart:+.0f} s from this machine's", "keep time with NTP"
        )


def _workers(services: Services) -> Iterator[Finding]:
    """Each job's claim lives about as long as its period, so where a worker runs there is one."""
    with store_errors():
        running = any(True for _ in services.scripts.client.scan_iter(match=keys.JOBS + "*", count=1000))
    if not running:
        what = "no worker runs: sign-ins are not renewed, windows and models not asked for"
        yield Finding(WRONG, "workers", what, "start one: python -m workers")


def _spool(services: Services) -> Iterator[Finding]:
    if files := list(Spool(services.settings.home / "spool").files()):
        what = f"{len(files)} files of settlements wait to be booked"
        yield Finding(NOTE, "books", what, "the next start of a web process on this machine books them")


def _pools(services: Services, pool: str | None) -> Iterator[Finding]:
    names = [name for name in services.pools.names() if pool in (None, name)]
    if not names:
        yield Finding(WRONG, "pools", "there is none", "add an account: poolgate account add --help")
    for name in names:
        accounts = services.accounts.all(name)
        if not accounts:
            yield Finding(WRONG, name, "it has no account", "add one: poolgate account add --help")
        elif all(account.state != "active" for account in accounts):
            yield Finding(WRONG, name, "every account is out, so all requests are refused", "see below")
        if not any(key.state == "active" for key in services.api_keys.all(name)):
            yield Finding(NOTE, name, "it has no usable key", "make one: poolgate key create --name NAME")
        if overdue := _overdue(services, name):
            what = f"{overdue} requests are over, but nobody has taken their slots back"
            yield Finding(WRONG, name, what, "start a web process or send a request")
        for account in accounts:
            yield from _account(services, name, account)


def _overdue(services: Services, pool: str) -> int:
    with store_errors():
        before = int(services.scripts.client.time()[0]) * 1000 - OVERDUE_MS
        return int(services.scripts.client.zcount(keys.leases(pool), "-inf", before))


def _account(services: Services, pool: str, account: Account) -> Iterator[Finding]:
    where = f"{pool}/{account.name}"
    if account.state != "active":
        yield _out(where, account)
    try:
        services.accounts.read(pool, account.id)
    except UnreadableSecret:
        mend = "put the former key back into POOLGATE_SECRET_KEYS, or add the account again"
        yield Finding(WRONG, where, "its credential was encrypted with another key", mend)
    with store_errors():
        stored = services.scripts.client.hgetall(keys.account(pool, account.id))
    for name, told in sorted(stored.items()):
        if name.startswith("look_") and (result := orjson.loads(told))["result"] != "ok":
            job = name.removeprefix("look_")
            what = f"the job `{job}` found {result['result']} at {moment(result['at'])}"
            yield Finding(NOTE, where, what, "it tries again by itself")


def _out(where: str, account: Account) -> Finding:
    reason = f" ({account.reason})" if account.reason else ""
    if account.state == "credential_dead":
        anew = "login or import it anew" if account.signed_in else "add it anew with a key that is valid"
        return Finding(
            WRONG, where, f"its credential is refused{reason}", f"{anew}, then poolgate account resume"
        )
    if account.state == "paused":
        return Finding(NOTE, where, f"paused{reason}", "poolgate account resume brings it back")
    until = f" until {moment(account.until_ms / 1000)}" if account.until_ms else ""
    return Finding(NOTE, where, f"{account.state}{until}{reason}", "it comes back by itself")
