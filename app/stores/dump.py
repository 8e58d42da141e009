"""
Read the data of a pool, key by key, while the pool is in use.

One script (`snapshot`) reads what must be consistent; streams, which only grow, are read page by page.
Names in this module are key names without the root of their pool. Short-lived and derived data is
left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from app.stores import keys
from app.stores.scripts import Scripts

PAGE = 500
LEDGER, OPEN, SECRETS = "ledger", "r:", "s:"
TOTALS = ("roll:", "teamroll:", "used:")
# Read by name only: whether a request is settled; the account and the API key of a conversation.
MARKERS = ("done:", "own:", "conv:")
IN_SNAPSHOT = (
    "pool",
    "accounts",
    "a:",
    "keys",
    "k:",
    "teams",
    "t:",
    SECRETS,
    "prices",
    "routes",
    "lim:",
    "leases",
    OPEN,
    "out",
)
EXCLUDED = (  # indexes, claims, caches, sessions, and the remains of an interrupted restore
    *(
        "ready:",
        "offering:",
        "members:",
        "models:",
        "out-told",
        "resets",
        "soft",
        "rested",
        "rest:",
        "lacks:",
    ),
    "overloaded",  # written by earlier versions
    *("queue", "queue:"),  # requests that wait for an account
    *("look:", "aff:", "absent:", "ans:", "idem:", "done:", "ses:", "op-ses:", "holders:", "try:", "start"),
    *("inv:", "invitations"),  # else an old invitation link would work again
    *("audit-open", "flow:"),
    *("rolls:", "rollnames:", "sum:", "refused-batch:", "refusals-latest"),
    *("ledgerindex", "ledgerindex:"),
    *("measured:m:", "measured:h:", "breakdown:"),  # computed again from the ledger and the roll-ups
    *("alerts:", "alerts-out:", "alerts-sent:"),
    *("restore:", "restore-old:", "restore-by"),
)

Rows = list[tuple[str, dict[str, str]]]


class Record(NamedTuple):
    """
    One key, or a page of a stream. `value` is text for a string, {field: text} for a hash, {member: score
    as text} for a zset, members for a set or a list, [[entry id, {field: text}], …] for a stream.
    """

    name: str
    kind: str
    value: Any
    expires_ms: int = 0  # Unix ms; 0: never


class Snapshot(NamedTuple):
    """The consistent part of a pool, and the position of its ledger."""

    now_ms: int
    last_id: str  # last id of the ledger; '' if it does not exist
    added: str  # number of entries ever added; '' if Redis does not report it
    deleted: str  # id of the last deleted entry
    records: list[Record]


def is_one_of(name: str, families: Iterable[str]) -> bool:
    """Return whether *name* is in *families*: exact names, and prefixes, which end with ':'."""
    return any(name.startswith(each) if each.endswith(":") else name == each for each in families)


class PoolDump:
    """Reads the keys of *pool* while it is in use. Its methods raise StoreUnavailable."""

    def __init__(self, scripts: Scripts, pool: str) -> None:
        self._scripts = scripts
        self._client = scripts.client
        self._pool = pool
        self._root = keys.root(pool)

    def names(self, excluded: Iterable[str] = ()) -> Iterator[str]:
        """Yield the name of every key once, except those of the families in *excluded*. Scans the store."""
        seen = set()
        for key in self._client.scan_iter(match=self._root + "*", count=1000):
            name = key[len(self._root) :]
            if name not in seen and not is_one_of(name, excluded):  # a scan may return a key twice
                seen.add(name)
                yield name

    def snapshot(self, also: Iterable[str]) -> Snapshot:
        """Return the consistent part of the pool and the keys named *also*, all read at one moment."""
        now_ms, (last_id, added, deleted), rows = self._scripts.run("snapshot", self._pool, *also)
        records = [
            Record(name, kind, _shaped(kind, value), now_ms + ttl_ms if ttl_ms > 0 else 0)
            for name, kind, ttl_ms, value in rows
        ]
        return Snapshot(now_ms, last_id, added, deleted, records)

    def records(self, names: Iterable[str]) -> Iterator[Record]:
        """Yield the keys called *names* that exist when they are read."""
        remaining = iter(names)
        while batch := list(islice(remaining, PAGE)):
            seconds, _ = self._client.time()
            pipeline = self._client.pipeline(transaction=False)
            for name in batch:
                pipeline.type(self._root + name)
                pipeline.pttl(self._root + name)
            replies = pipeline.execute()
            for name, kind, ttl_ms in zip(batch, replies[::2], replies[1::2], strict=True):
                expires_ms = seconds * 1000 + ttl_ms if ttl_ms > 0 else 0
                for value in self._values(name, kind):
                    yield Record(name, kind, value, expires_ms)

    def stream(self, name: str, after: str = "-", upto: str = "+") -> Iterator[Rows]:
        """Yield the entries of a stream in pages; *after* and *upto* as for XRANGE."""
        while True:
            entries: Rows = self._client.xrange(self._root + name, after, upto, count=PAGE)
            if entries:
                yield entries
            if len(entries) < PAGE:
                return
            after = f"({entries[-1][0]}"

    def _values(self, name: str, kind: str) -> Iterator[Any]:
        client, key = self._client, self._root + name
        if kind == "stream":
            for entries in self.stream(name):
                yield [list(entry) for entry in entries]
        elif kind == "hash":
            yield client.hgetall(key)
        elif kind == "zset":
            yield {member: f"{score:.17g}" for member, score in client.zrange(key, 0, -1, withscores=True)}
        elif kind == "set":
            yield sorted(client.smembers(key))
        elif kind == "list":
            yield client.lrange(key, 0, -1)
        elif kind == "string" and (value := client.get(key)) is not None:
            yield value


def _shaped(kind: str, value: Any) -> Any:
    return dict(zip(value[::2], value[1::2], strict=True)) if kind in ("hash", "zset") else value
