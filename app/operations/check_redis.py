"""Is the store one that forgets nothing, has room, answers soon, and knows what time it is?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from app.operations.diagnostic import NOTE, WRONG, Finding
from app.stores.client import store_errors

MIN_VERSION = (6, 2)
MAX_CLOCK_SECONDS = 2.0
FULL = 0.9  # of maxmemory
PINGS = 5
SLOW_SECONDS = 0.010  # a request asks three times, before it is sent
WHERE = "redis"


def redis(client: Any, patience_seconds: float) -> Iterator[Finding]:
    """Yield what is wrong with the server of *client*; requests have *patience_seconds* with it."""
    with store_errors():
        info: dict[str, Any] = client.info()
        seconds, micros = client.time()
    apart = seconds + micros / 1e6 - time.time()
    yield from _kind(info)
    yield from _memory(info)
    yield from _persistence(info)
    if abs(apart) > MAX_CLOCK_SECONDS:
        yield Finding(WRONG, WHERE, f"its clock is {apart:+.0f} s from this machine's", "keep time with NTP")
    yield from _latency(client, patience_seconds)


def _kind(info: dict[str, Any]) -> Iterator[Finding]:
    version = str(info.get("valkey_version") or info["redis_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < MIN_VERSION:
        yield Finding(WRONG, WHERE, f"its version is {version}", "update it to 6.2 or newer")
    if info.get("role") == "slave":
        what = "it is a replica: nothing can be written there"
        yield Finding(WRONG, WHERE, what, "name its master, or the sentinels, in REDIS_URL")


def _memory(info: dict[str, Any]) -> Iterator[Finding]:
    most, policy = int(info.get("maxmemory") or 0), info.get("maxmemory_policy")
    if most and policy != "noeviction":
        what = f"maxmemory-policy is {policy}: it may forget accounts, keys and books"
        yield Finding(WRONG, WHERE, what, "set it to noeviction")
    if most and int(info["used_memory"]) > FULL * most:
        yield Finding(WRONG, WHERE, f"over {FULL:.0%} of its memory is in use", "give it more memory")
    if evicted := int(info.get("evicted_keys") or 0):
        what = f"it has thrown away {evicted} keys since it was started"
        mend = "set maxmemory-policy noeviction, then poolgate ledger verify and poolgate restore"
        yield Finding(WRONG, WHERE, what, mend)


def _persistence(info: dict[str, Any]) -> Iterator[Finding]:
    if not info.get("aof_enabled"):
        yield Finding(
            NOTE, WHERE, "it keeps no append-only file", "set appendonly yes to survive its restarts"
        )
    elif info.get("aof_last_write_status", "ok") != "ok" or info.get("aof_last_bgrewrite_status") == "err":
        yield Finding(WRONG, WHERE, "it cannot write its append-only file", "look at its disk and its log")
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        what = "its last snapshot failed; it may refuse every write"
        yield Finding(WRONG, WHERE, what, "look at its disk and its log")


def _latency(client: Any, patience_seconds: float) -> Iterator[Finding]:
    waits = []
    for _ in range(PINGS):
        began = time.monotonic()
        with store_errors():
            client.ping()
        waits.append(time.monotonic() - began)
    least = min(waits)  # what is above that may be this process's own waiting for a processor
    if least > SLOW_SECONDS:
        level = WRONG if least > patience_seconds / 2 else NOTE
        what = f"it takes {least * 1000:.0f} ms to answer; a request waits for it three times"
        yield Finding(level, WHERE, what, "move it nearer, or look at what else its machine does")
