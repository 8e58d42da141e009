"""Background jobs: one process at a time runs each period of a job."""

from __future__ import annotations

import os

import orjson

from app.stores import keys
from app.stores.scripts import Scripts


class JobRepository:
    """Claims of background jobs, by period and by account, and their last runs."""

    def __init__(self, scripts: Scripts) -> None:
        self._client = scripts.client

    def claim(self, job: str, period_seconds: float) -> bool:
        """
        Claim the period of *job* that begins now; return False if another process has it.

        The claim expires with the period, so a crash skips at most one run.
        """
        period_ms = int(period_seconds * 1000)
        return bool(self._client.set(keys.JOBS + job, os.getpid(), nx=True, px=period_ms))

    def hold(self, job: str, holder: str, seconds: float) -> bool:
        """Claim *job* for *holder*, or extend its claim; return False while another holder has it."""
        key, ttl_ms = keys.JOBS + job, int(seconds * 1000)
        if self._client.set(key, holder, nx=True, px=ttl_ms):
            return True
        return self._client.get(key) == holder and bool(self._client.pexpire(key, ttl_ms))

    def claim_account(self, job: str, pool: str, account_id: str, period_seconds: float) -> bool:
        """
        Claim the period of *job* for one account.

        It ends 10 % early, so that the next run can claim it.
        """
        period_ms = int(period_seconds * 900)
        return bool(self._client.set(keys.job_claim(pool, job, account_id), "1", nx=True, px=period_ms))

    def record_run(self, job: str, period_seconds: float, *, ok: bool) -> None:
        """Record the end of a run of *job*, for `poolgate doctor`."""
        run = {"at": self._client.time()[0], "every_seconds": period_seconds, "ok": ok}
        self._client.hset(keys.JOB_RUNS, job, orjson.dumps(run))
