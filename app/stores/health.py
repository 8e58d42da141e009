"""Read the facts that `poolgate doctor` and the readiness probe check."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import orjson

from app.stores import keys
from app.stores.records.health import JobRun, Outage, ServerInfo
from app.stores.scripts import Scripts

BATCH = 50  # accounts read at a time
OUTAGE_SECONDS = 86400  # how long an outage is stored after its end


class HealthRepository:
    def __init__(self, scripts: Scripts) -> None:
        self._client = scripts.client

    def server_info(self) -> ServerInfo:
        info: dict[str, Any] = self._client.info()
        has_append_only_file = bool(info.get("aof_enabled"))
        return ServerInfo(
            version=str(info.get("valkey_version") or info["redis_version"]),
            is_replica=info.get("role") == "slave",
            max_memory=int(info.get("maxmemory") or 0),
            memory_policy=str(info.get("maxmemory_policy")),
            used_memory=int(info["used_memory"]),
            evicted_keys=int(info.get("evicted_keys") or 0),
            has_append_only_file=has_append_only_file,
            is_append_only_failing=info.get("aof_last_write_status", "ok") != "ok"
            or info.get("aof_last_bgrewrite_status") == "err",
            is_snapshot_failing=info.get("rdb_last_bgsave_status", "ok") != "ok",
        )

    def now(self) -> float:
        """Return the store's time in Unix seconds."""
        seconds, micros = self._client.time()
        return int(seconds) + int(micros) / 1e6

    def measure_latency(self) -> float:
        """Return the duration of one round trip, in seconds."""
        started_at = time.monotonic()
        self._client.ping()
        return time.monotonic() - started_at

    def job_runs(self) -> list[JobRun]:
        """Return the latest run of every background job, by name."""
        stored = self._client.hgetall(keys.JOB_RUNS)
        return [JobRun(job, **orjson.loads(text)) for job, text in sorted(stored.items())]

    def record_outage(self, seconds: float, reason: str) -> None:
        """Record that a process could not use the store in the last *seconds*, as others may have done."""
        now, last = self.now(), self.last_outage()
        began_at = now - seconds
        if last is not None and began_at <= last.ended_at:
            began_at = min(began_at, last.began_at)
        fields = {"from": round(began_at, 3), "until": round(now, 3), "reason": reason}
        self._client.set(keys.OUTAGE, orjson.dumps(fields), ex=OUTAGE_SECONDS)

    def last_outage(self) -> Outage | None:
        """Return the last outage that a worker recorded in OUTAGE_SECONDS, None if there was none."""
        stored = self._client.get(keys.OUTAGE)
        if stored is None:
            return None
        fields = orjson.loads(stored)
        return Outage(fields["from"], fields["until"], fields["reason"])

    def has_unfinished_restore(self, pool: str) -> bool:
        return bool(self._client.exists(keys.restore_by(pool)))

    def count_overdue_leases(self, pool: str, before_ms: float) -> int:
        """Return the number of leases that expired before *before_ms* (Unix ms) and were not swept."""
        return int(self._client.zcount(keys.leases(pool), "-inf", before_ms))

    def count_requests(self, pool: str) -> tuple[int, int]:
        """Return (requests that hold a lease, requests that wait for an account)."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.zcard(keys.leases(pool))
        pipeline.zcard(keys.queue(pool))
        leases, waiting = pipeline.execute()
        return int(leases), int(waiting)

    def account_fields(self, pool: str, names: Sequence[str]) -> Iterator[dict[str, str | None]]:
        """Yield the fields *names* of every account, read in batches as they are consumed."""
        ids: Iterable[str] = iter(self._client.hvals(keys.account_names(pool)))
        while batch := list(islice(ids, BATCH)):
            pipeline = self._client.pipeline(transaction=False)
            for account_id in batch:
                pipeline.hmget(keys.account(pool, account_id), names)
            for values in pipeline.execute():
                yield dict(zip(names, values, strict=True))
