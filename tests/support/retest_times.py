"""Retests of refused credentials, without the hours between them."""

from __future__ import annotations

from typing import Any

from app.stores import keys


def pass_time(client: Any, pool: str, account_id: str, seconds: int) -> None:
    """
    Move all stored times of the retest of an account *seconds* into the past.

    These are the time when its credential was refused, and the ends of the claims on it and on the job.
    """
    key = keys.account(pool, account_id)
    earlier = int(client.hget(key, "since_ms"))
    since = client.hincrby(key, "since_ms", -1000 * seconds)
    claimed = keys.job_claim(pool, f"retest:{earlier}", account_id)
    if client.exists(claimed):  # its name has the time when the credential was refused
        moved = keys.job_claim(pool, f"retest:{since}", account_id)
        client.rename(claimed, moved)
        _end_earlier(client, moved, seconds)
    _end_earlier(client, keys.JOBS + "retest", seconds)


def _end_earlier(client: Any, key: str, seconds: int) -> None:
    left_ms = client.pttl(key)
    if left_ms > 0:
        client.pexpire(key, max(0, left_ms - 1000 * seconds))
