"""Jobs that examine every account: a few at once, each account by one process a period."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import gevent
import orjson
import structlog
from gevent.pool import Pool as Crew

from app.accounts.account import Account
from app.accounts.outcomes import mark_for
from app.accounts.verdicts import is_closed
from app.errors import GatewayError, StoreUnavailable, UpstreamError
from app.stores.jobs import JobRepository
from app.wiring import Services

log = structlog.get_logger()

AT_ONCE = 4
JITTER_SECONDS = 0.25  # before each run, so that requests to an upstream are spread


@dataclass(frozen=True, slots=True)
class AccountJob:
    """
    One job's look at an account.

    `look(services, pool, account, now)` returns the result in a word, and may raise
    GatewayError. The word is stored in the account, as its field `look_<name>`, a JSON of
    {at: Unix seconds, result: "ok" or what went wrong}.
    """

    name: str
    every_seconds: float
    is_due: Callable[[Account, float], bool]
    look: Callable[[Services, str, Account, float], str]
    # where looks are not evenly spaced: what names the time until the next one, and its seconds
    term: Callable[[Account, float], tuple[str, float]] | None = None


def look_at_each(services: Services, now: float, look: AccountJob) -> None:
    """Run *look* for every account that is due and was not examined within the period."""
    crew = Crew(AT_ONCE)
    for pool in services.pools.names():
        due = [account for account in services.accounts.all(pool) if look.is_due(account, now)]
        random.shuffle(due)
        for account in due:
            crew.spawn(_look_in_turn, services, pool, account, now, look)
    crew.join()


def _look_in_turn(services: Services, pool: str, account: Account, now: float, look: AccountJob) -> None:
    """Run *look* for *account* unless a process has; store the result, and log it if it is not `ok`."""
    with suppress(StoreUnavailable):  # the next run is the retry
        if not _claim(services, pool, account, now, look):
            return
        gevent.sleep(random.uniform(0, JITTER_SECONDS))
        result = _look(services, pool, account, now, look)
        if result != "ok":
            log.info("look_told", job=look.name, pool=pool, account=account.id, result=result)
        result_text = orjson.dumps({"at": int(now), "result": result}).decode()
        services.accounts.observe(pool, account.id, {f"look_{look.name}": result_text})


def _claim(services: Services, pool: str, account: Account, now: float, look: AccountJob) -> bool:
    """Take this account's period. It ends a little early, so that the next run finds it over."""
    name, seconds = look.term(account, now) if look.term else ("", look.every_seconds)
    return JobRepository(services.scripts).claim_account(look.name + name, pool, account.id, seconds)


def _look(services: Services, pool: str, account: Account, now: float, look: AccountJob) -> str:
    try:
        opened = services.accounts.read(pool, account.id)  # `all` leaves credentials sealed
        return look.look(services, pool, opened, now)
    except StoreUnavailable:
        raise
    except GatewayError as error:
        if isinstance(error, UpstreamError) and is_closed(error):
            services.accounts.observe(pool, account.id, {}, mark=mark_for(error, "", now, kind=account.kind))
        return error.code or "failed"
    except Exception:
        log.exception("look_failed", job=look.name, pool=pool, account=account.id)
        return "failed"
