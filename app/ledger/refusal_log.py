"""
Write the refusal log: requests that were answered with an error before any account was tried.

Refusals are collected in this process and written in one call for each pool, at most once a second, so
that a storm of them costs Redis next to nothing and requests that are served cost nothing at all. What
was collected within the last second is lost when the process is killed.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gevent
import orjson
import structlog

from app.errors import GatewayError
from app.stores.records.api_keys import pool_of
from app.stores.scripts import Scripts

log = structlog.get_logger()

FLUSH_SECONDS = 1.0
MAX_GROUPS = 1000  # pool, key and code; refusals of further ones are dropped until the next flush
MAX_ENTRIES = 20  # in full, of one group and flush: the newest
MAX_NAME, MAX_MESSAGE = 128, 500  # characters


@dataclass(frozen=True, slots=True)
class Refusal:
    """*admission* is as in `GatewayError`; *key* is an id, or '' where only *presented* is known."""

    id: str
    at_ms: int
    model: str
    endpoint: str
    status: int
    code: str
    message: str
    pool: str = ""
    key: str = ""
    presented: str = ""  # the API key as the caller sent it, which may be unknown
    param: str | None = None
    admission: Mapping[str, Any] = field(default_factory=dict)

    def row(self) -> bytes:
        """Return the JSON that is stored, shaped like a ledger row."""
        row = {
            "id": self.id,
            "at_ms": self.at_ms,
            "account": "",
            "model": _clean(self.model, MAX_NAME),
            "endpoint": _clean(self.endpoint, MAX_NAME),
            "status": self.status,
            "error": _clean(self.code, MAX_NAME),
            "message": _clean(self.message, MAX_MESSAGE),
            "refused": True,
            **({"param": _clean(self.param, MAX_NAME)} if self.param else {}),
            **self.admission,
        }
        return orjson.dumps(row)


def _clean(text: str, length: int) -> str:
    """Return the beginning of *text*, without surrogates that JSON cannot carry."""
    return text[:length].encode(errors="replace").decode()


@dataclass(slots=True)
class _Group:
    count: int = 0
    out: bool = False  # whether to store which accounts were unavailable
    entries: deque[Refusal] = field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))


class RefusalLog:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._groups: dict[tuple[str, str, str, str], _Group] = {}  # by pool, key, digest, code
        self._writer: gevent.Greenlet | None = None

    def add(self, refusal: Refusal) -> None:
        """Collect *refusal*; it is written within a second. One without any key is dropped."""
        pool, digest = refusal.pool, ""
        if not refusal.key:
            pool = pool_of(refusal.presented) or ""
            digest = hashlib.sha256(refusal.presented.encode()).hexdigest()
        name = (pool, refusal.key, digest, refusal.code[:MAX_NAME])
        if not pool or (name not in self._groups and len(self._groups) >= MAX_GROUPS):
            return
        group = self._groups.setdefault(name, _Group())
        group.count += 1
        group.out |= "accounts" in refusal.admission
        group.entries.append(refusal)
        if not self._writer:
            self._writer = gevent.spawn(self._write)

    def _write(self) -> None:
        while self._groups:
            self.flush()
            gevent.sleep(FLUSH_SECONDS)

    def flush(self) -> None:
        """Write what was collected, one call for each pool; what cannot be written is dropped."""
        groups, self._groups = self._groups, {}
        pools: dict[str, list[dict[str, Any]]] = {}
        for (pool, key, digest, code), group in groups.items():
            entries = [refusal.row().decode() for refusal in group.entries]
            pools.setdefault(pool, []).append(
                {
                    **{"key": key, "digest": digest, "code": code},
                    **{"count": group.count, "out": group.out, "entries": entries},
                }
            )
        for pool, told in pools.items():
            batch = {"batch": secrets.token_hex(8), "groups": told}
            try:
                self._scripts.run("record_refusals", pool, orjson.dumps(batch))
            except GatewayError:  # a refusal is worth no retry, whatever is wrong with the store
                log.warning("refusals_lost", pool=pool, count=sum(group["count"] for group in told))
