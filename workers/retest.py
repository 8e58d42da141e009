"""
Tests accounts again that receive no requests, or none while others answer.

Refused credentials are tested with a cheap query: 10 minutes after the refusal, then ever more rarely. An
account that comes last until it answers is tested once an hour by ordinary requests: it may have no list of
models that would show that it answers.
"""

from __future__ import annotations

from app.accounts.account import Account
from app.accounts.failures import Failure
from app.accounts.kinds import kind_of
from app.accounts.model_lists import NO_LIST
from app.errors import UpstreamRejected
from app.stores.records.accounts import OUT_OF_USE, AccountState
from app.stores.records.audit import Actor, Via
from app.wiring import Services
from workers.account_jobs import AccountJob, examine_accounts
from workers.usage import get_object

EVERY_SECONDS = 60.0
FIRST_SECONDS = 600.0
MAX_SECONDS = 6 * 3600.0
UNPROVEN_SECONDS = 3600.0
# A request would wait for a server that does not respond, and the job `models` notices when it does.
NO_RESPONSE = (Failure.UNREACHABLE, Failure.RESET, Failure.SLOW)


def run(services: Services, now: float) -> None:
    """Test the accounts that are out of use because of their credential or that come last, when it is due."""
    examine_accounts(services, now, _REFUSED)
    examine_accounts(services, now, _UNPROVEN)


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


def _comes_last(account: Account, now: float) -> bool:
    return account.unproven not in ("", *NO_RESPONSE) and account.state not in OUT_OF_USE


def _rejoin(services: Services, pool: str, account: Account, now: float) -> str:
    """Let *account* have its share of requests until one fails."""
    services.accounts.observe(pool, account.id, {}, accepted=True)
    return "ok"


_REFUSED = AccountJob("retest", FIRST_SECONDS, _is_due, _test, _period)
_UNPROVEN = AccountJob("unproven", UNPROVEN_SECONDS, _comes_last, _rejoin)
