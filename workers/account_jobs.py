"""Jobs that examine every account: a few in parallel, each account by one process per period."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import gevent
import structlog
from gevent.pool import Pool

from app.accounts.account import Account
from app.accounts.job_results import FAILED, JobResult, failed_result
from app.accounts.outcomes import outcome_from_error
from app.accounts.verdicts import is_closed
from app.errors import GatewayError, StoreUnavailable, UpstreamError
from app.stores.jobs import JobRepository
from app.wiring import Services

log = structlog.get_logger()

MAX_CONCURRENT = 4
JITTER_SECONDS = 0.25  # before each run, so that requests to an upstream are spread


@dataclass(frozen=True, slots=True)
class AccountJob:
    """
    A job that examines one account at a time.

    `examine(services, pool, account, now)` returns "ok" or an error code, and may raise GatewayError. The
    result is stored in the field `look_<name>` of the account, see `app.accounts.job_results`.
    """

    name: str
    every_seconds: float
    is_due: Callable[[Account, float], bool]
    examine: Callable[[Services, str, Account, float], str]
    # for a job without a fixed period: returns a label of the current period, and its length in seconds
    period: Callable[[Account, float], tuple[str, float]] | None = None


def examine_accounts(services: Services, now: float, job: AccountJob) -> None:
    """Run *job* for every account that is due and was not examined in this period."""
    greenlets = Pool(MAX_CONCURRENT)
    for pool in services.pools.names():
        due = [account for account in services.accounts.all(pool) if job.is_due(account, now)]
        random.shuffle(due)
        for account in due:
            greenlets.spawn(_run_for_account, services, pool, account, now, job)
    greenlets.join()


def _run_for_account(services: Services, pool: str, account: Account, now: float, job: AccountJob) -> None:
    """
    Run *job*, unless another process has in this period; store the result, and log it if it is not `ok`.
    """
    with suppress(StoreUnavailable):  # the next run retries it
        if not _claim(services, pool, account, now, job):
            return
        gevent.sleep(random.uniform(0, JITTER_SECONDS))
        result = _examine(services, pool, account, now, job)
        if not result.ok:
            write = log.warning if result.is_unreadable else log.info
            write(
                "account_job_result",
                former_event="look_told",
                job=job.name,
                pool=pool,
                account=account.id,
                account_name=account.name,
                result=result.code,
            )
        services.accounts.observe(
            pool,
            account.id,
            {f"look_{job.name}": result.to_json()},
            answered=result.shows_answer(account.unproven),
            unanswered=result.unanswered,
        )


def _claim(services: Services, pool: str, account: Account, now: float, job: AccountJob) -> bool:
    """Return whether this process may examine *account* in the current period; then no other process may."""
    label, seconds = job.period(account, now) if job.period else ("", job.every_seconds)
    return JobRepository(services.scripts).claim_account(job.name + label, pool, account.id, seconds)


def _examine(services: Services, pool: str, account: Account, now: float, job: AccountJob) -> JobResult:
    try:
        with_credentials = services.accounts.read(pool, account.id)  # `all` leaves credentials encrypted
        return JobResult(int(now), job.examine(services, pool, with_credentials, now))
    except StoreUnavailable:
        raise
    except GatewayError as error:
        if isinstance(error, UpstreamError) and is_closed(error):
            services.accounts.observe(
                pool, account.id, {}, outcome=outcome_from_error(error, "", now, kind=account.kind)
            )
        return failed_result(error, account.kind, now)
    except Exception:
        log.exception(
            "account_job_failed", former_event="look_failed", job=job.name, pool=pool, account=account.id
        )
        return JobResult(int(now), FAILED)
