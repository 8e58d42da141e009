"""
Tests accounts again that receive no requests, or none while others answer.

Refused credentials are tested with a cheap query: 10 minutes after the refusal, then ever more rarely. An
account that comes last until it answers receives a short request of its own once an hour: it may have no list
of models that would show that it answers, and requests of callers would fail or wait.
"""

from __future__ import annotations

from http import HTTPStatus

from app.accounts.account import Account
from app.accounts.job_results import FAILED, OK
from app.accounts.kinds import kind_of
from app.accounts.model_lists import NO_LIST
from app.errors import UpstreamRejected
from app.operations.account_check import example_model, knows_model, model_for
from app.stores.records.accounts import OUT_OF_USE, AccountState
from app.stores.records.audit import Actor, Via
from app.wiring import Services
from workers.account_jobs import AccountJob, examine_accounts
from workers.usage import get_object

EVERY_SECONDS = 60.0
FIRST_SECONDS = 600.0
MAX_SECONDS = 6 * 3600.0
UNPROVEN_SECONDS = 3600.0
NEWEST_REQUESTS = 100  # of a pool, searched for a model
NO_MODEL = "no_model_known"  # a result of the job `unproven`
WORKER = Actor("background worker", Via.WORKER)


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
        services.audit.note(WORKER, "account.retest", pool, account.name, result="credential accepted again")
    return OK


def _comes_last(account: Account, now: float) -> bool:
    return bool(account.unproven) and account.state not in OUT_OF_USE


def _send_test(services: Services, pool: str, account: Account, now: float) -> str:
    """Send a short request to *account*; the result OK ends that it comes last."""
    model = model_for(account) if knows_model(account) else _model_of_others(services, pool)
    if model is None:
        return NO_MODEL
    check = services.upstream.checker.check(pool, account, model)
    if check.ok:
        services.audit.note(WORKER, "account.retest", pool, account.name, result="a test request succeeded")
        return OK
    return check.failure or FAILED


def _model_of_others(services: Services, pool: str) -> str | None:
    """
    Return a model that an account of *pool* has or answered lately, None if there is none.

    Callers' requests for it may go to an account whose models are unknown. Those for a model that no other
    account serves do, and so test the account themselves.
    """
    newest = reversed(services.ledger.entries.newest(pool, NEWEST_REQUESTS))
    answered = (entry.model for entry in newest if entry.status == HTTPStatus.OK)
    real = [account for account in services.accounts.all(pool) if not kind_of(account).is_simulated]
    return example_model(real) or next(answered, None)


_REFUSED = AccountJob("retest", FIRST_SECONDS, _is_due, _test, _period)
_UNPROVEN = AccountJob("unproven", UNPROVEN_SECONDS, _comes_last, _send_test)
