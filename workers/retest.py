"""Tests refused credentials again with a cheap query: 10 minutes after the refusal, then ever more rarely."""

from __future__ import annotations

from app.accounts.account import Account
from app.accounts.kinds import kind_of
from app.accounts.model_lists import NO_LIST
from app.errors import UpstreamRejected
from app.stores.records.accounts import AccountState
from app.stores.records.audit import Actor, Via
from app.wiring import Services
from workers.account_jobs import AccountJob, examine_accounts
from workers.usage import get_object

EVERY_SECONDS = 60.0
FIRST_SECONDS = 600.0
MAX_SECONDS = 6 * 3600.0


def run(services: Services, now: float) -> None:
    """Test every account that is out of use because of its credential, when its next test is due."""
    examine_accounts(services, now, _JOB)


def _is_due(account: Account, now: float) -> bool:
    return account.state == AccountState.CREDENTIAL_DEAD and _elapsed(account, now) >= FIRST_SECONDS


def _elapsed(account: Account, now: float) -> float:
    return now - account.since_ms / 1000


def _period(account: Account, now: float) -> tuple[str, float]:
    """
    Return a label of the refusal, and the seconds until the next test: as many as since the refusal, within
    bounds.
    """
    return f":{account.since_ms}", min(max(_elapsed(account, now), FIRST_SECONDS), MAX_SECONDS)


def _test(services: Services, pool: str, account: Account, now: float) -> str:
    try:
        get_object(services, pool, account, kind_of(account).models_path)
    except UpstreamRejected as error:
        if error.upstream_status not in NO_LIST:
            raise
    if services.accounts.observe(pool, account.id, {}, accepted=True):
        actor = Actor("background worker", Via.WORKER)
        services.audit.note(actor, "account.retest", pool, account.name, result="credential accepted again")
    return "ok"


_JOB = AccountJob("retest", FIRST_SECONDS, _is_due, _test, _period)
