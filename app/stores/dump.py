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
TOTALS = ("roll:", "used:")
# only read by name: whether a request was settled, and the account and the key of a conversation
MARKS = ("done:", "own:", "conv:")
IN_SNAPSHOT = ("pool", "accounts", "a:", "keys", "k:", SECRETS, "prices", "lim:", "leases", OPEN, "out")
LEFT_OUT = (  # indexes, claims, caches, sessions, and the remains of an interrupted restore
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
    "overloaded",  # of earlier versions
    *("look:", "aff:", "absent:", "ans:", "done:", "ses:", "op-ses:", "try:", "start", "audit-open", "flow:"),
    *("rolls:", "rollnames:", "sum:", "refused-batch:"),
    *("restore:", "restore-old:", "restore-by"),
)

Rows = list[tuple[str, dict[str, str]]]


class Record(NamedTuple):
    """
    One key. `value` is text for a string, {field: text} for a hash, {member: score as text} for a
    zset, members for a set or a list, [[entry id, {field: text}], …] for a part of a stream.
    """

    name: str
    kind: str
    value: Any
    expires_ms: int = 0  # Unix ms; 0: never


class Snapshot(NamedTuple):
    now_ms: int
    last_id: str  # of the ledger; '' where there is none
    added: str  # number of entries ever added; '' where Redis does not report it
    deleted: str  # the last entry that was deleted
    records: list[Record]


def is_one_of(name: str, families: Iterable[str]) -> bool:
    """Whether *name* is in one of *families*: a name, or the beginning of names where it ends with ':'."""
    return any(name.startswith(one) if one.endswith(":") else name == one for one in families)


def names(client: Any, pool: str, but: Iterable[str] = ()) -> Iterator[str]:
    """Yield the name of every key of *pool* once, without the families in *but*. Scans the store."""
    root = keys.root(pool)
    seen = set()
    for key in client.scan_iter(match=root + "*", count=1000):
        name = key[len(root) :]
        if name not in seen and not is_one_of(name, but):  # a scan may return a key twice
            seen.add(name)
            yield name


def snapshot(scripts: Scripts, pool: str, also: Iterable[str]) -> Snapshot:
    """Return what of *pool* belongs together, and the keys named *also*, as of one moment."""
    now_ms, (last_id, added, deleted), rows = scripts.run("snapshot", pool, *also)
    records = [
        Record(name, kind, _shaped(kind, value), now_ms + ttl_ms if ttl_ms > 0 else 0)
        for name, kind, ttl_ms, value in rows
    ]
    return Snapshot(now_ms, last_id, added, deleted, records)


def _shaped(kind: str, value: Any) -> Any:
    return dict(zip(value[::2], value[1::2], strict=True)) if kind in ("hash", "zset") else value


def records(client: Any, pool: str, names: Iterable[str]) -> Iterator[Record]:
    """Yield the keys called *names* that exist when they are read."""
    remaining = iter(names)
    while batch := list(islice(remaining, PAGE)):
        seconds, _ = client.time()
        pipeline = client.pipeline(transaction=False)
        for name in batch:
            pipeline.type(keys.root(pool) + name)
            pipeline.pttl(keys.root(pool) + name)
        replies = pipeline.execute()
        for name, kind, ttl_ms in zip(batch, replies[::2], replies[1::2], strict=True):
            expires_ms = seconds * 1000 + ttl_ms if ttl_ms > 0 else 0
            for value in _values(client, keys.root(pool) + name, kind):
                yield Record(name, kind, value, expires_ms)


def _values(client: Any, key: str, kind: str) -> Iterator[Any]:
    if kind == "stream":
        for entries in stream(client, key):
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


def stream(client: Any, key: str, after: str = "-", upto: str = "+") -> Iterator[Rows]:
    """Yield the entries of a stream in pages; *after* as XRANGE takes it."""
    while True:
        entries: Rows = client.xrange(key, after, upto, count=PAGE)
        if entries:
            yield entries
        if len(entries) < PAGE:
            return
        after = f"({entries[-1][0]}"
