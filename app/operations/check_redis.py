"""Check the Redis server: persistence, memory, latency and clock."""

from __future__ import annotations

import time
from collections.abc import Iterator

from app.formatting import counted, duration, moment
from app.operations.diagnostic import Diagnostic, Level
from app.stores.health import HealthRepository
from app.stores.records.health import ServerInfo

MIN_VERSION = (6, 2)
MAX_CLOCK_SECONDS = 2.0
FULL_SHARE = 0.9  # of maxmemory
PINGS = 5
SLOW_SECONDS = 0.010  # a request takes three round trips before it is sent
WHERE = "redis"


def check_redis(health: HealthRepository, timeout_seconds: float) -> Iterator[Diagnostic]:
    """Yield the problems of the server; *timeout_seconds* is the store timeout of requests."""
    info = health.server_info()
    clock_offset = health.now() - time.time()
    yield from _check_kind(info)
    yield from _check_memory(info)
    yield from _check_persistence(info)
    if abs(clock_offset) > MAX_CLOCK_SECONDS:
        what = f"its clock is {clock_offset:+.0f} s from this machine's"
        yield Diagnostic(Level.WRONG, WHERE, what, "synchronize its clock with NTP")
    yield from _check_latency(health, timeout_seconds)


def check_outage(health: HealthRepository) -> Iterator[Diagnostic]:
    """Yield the last outage that the workers noticed, if it ended less than a day ago."""
    outage = health.last_outage()
    if outage is None:
        return
    length = duration(outage.ended_at - outage.began_at)
    what = f"it was away until {moment(outage.ended_at)}, for about {length}: it {outage.reason}"
    remedy = "nothing to do now; requests were refused meanwhile. If it happens again, look at its log"
    yield Diagnostic(Level.NOTE, WHERE, what, remedy)


def _check_kind(info: ServerInfo) -> Iterator[Diagnostic]:
    if tuple(int(part) for part in info.version.split(".")[:2]) < MIN_VERSION:
        yield Diagnostic(Level.WRONG, WHERE, f"its version is {info.version}", "update it to 6.2 or newer")
    if info.is_replica:
        what = "it is a replica: nothing can be written there"
        yield Diagnostic(Level.WRONG, WHERE, what, "name its master, or the sentinels, in REDIS_URL")


def _check_memory(info: ServerInfo) -> Iterator[Diagnostic]:
    if info.max_memory and info.memory_policy != "noeviction":
        what = f"maxmemory-policy is {info.memory_policy}: it may delete accounts, keys and ledger entries"
        yield Diagnostic(Level.WRONG, WHERE, what, "set it to noeviction")
    if info.max_memory and info.used_memory > FULL_SHARE * info.max_memory:
        what = f"over {FULL_SHARE:.0%} of its memory is in use"
        yield Diagnostic(Level.WRONG, WHERE, what, "give it more memory")
    if info.evicted_keys:
        what = f"it has evicted {counted(info.evicted_keys, 'key')} since it was started"
        remedy = "set maxmemory-policy noeviction, then poolgate ledger verify and poolgate restore"
        yield Diagnostic(Level.WRONG, WHERE, what, remedy)


def _check_persistence(info: ServerInfo) -> Iterator[Diagnostic]:
    if not info.has_append_only_file:
        what, remedy = "it has no append-only file", "set appendonly yes to survive its restarts"
        yield Diagnostic(Level.NOTE, WHERE, what, remedy)
    elif info.is_append_only_failing:
        what = "it cannot write its append-only file"
        yield Diagnostic(Level.WRONG, WHERE, what, "look at its disk and its log")
    if info.is_snapshot_failing:
        what = "its last snapshot failed; it may refuse every write"
        yield Diagnostic(Level.WRONG, WHERE, what, "look at its disk and its log")


def _check_latency(health: HealthRepository, timeout_seconds: float) -> Iterator[Diagnostic]:
    # the minimum: longer times may be this process's own wait for a CPU
    latency = min(health.measure_latency() for _ in range(PINGS))
    if latency > SLOW_SECONDS:
        level = Level.WRONG if latency > timeout_seconds / 2 else Level.NOTE
        what = f"it takes {latency * 1000:.0f} ms to answer; a request waits for it three times"
        yield Diagnostic(level, WHERE, what, "move it nearer, or check what else runs on its machine")
