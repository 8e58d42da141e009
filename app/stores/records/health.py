"""What the store reports about itself, and about the background jobs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """The state of the Redis server, from its INFO; sizes in bytes."""

    version: str
    is_replica: bool
    max_memory: int  # 0: unlimited
    memory_policy: str
    used_memory: int
    evicted_keys: int
    has_append_only_file: bool
    is_append_only_failing: bool
    is_snapshot_failing: bool


@dataclass(frozen=True, slots=True)
class JobRun:
    """The latest run of a background job; `at` is in Unix seconds on the store's clock."""

    job: str
    at: float
    every_seconds: float
    ok: bool


@dataclass(frozen=True, slots=True)
class Outage:
    """A time, in Unix seconds on the store's clock, in which the workers could not use it."""

    began_at: float
    ended_at: float
    reason: str  # a clause without a subject
