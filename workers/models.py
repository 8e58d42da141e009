"""Lists the models of each account's upstream; `/v1/models` is composed of these lists."""

from __future__ import annotations

from app.accounts.account import Account
from app.accounts.failures import Failure
from app.accounts.kinds import kind_of
from app.stores.records.accounts import OUT_OF_USE
from app.wiring import Services
from workers.account_jobs import AccountJob, examine_accounts
from workers.usage import get_object

EVERY_SECONDS = 15.0  # until an account that did not answer when it was added is tried again
UNANSWERED_SECONDS = 60.0  # of an account that comes last because its server has not answered
UNREADABLE_SECONDS = 30.0  # of an account whose credential the last process could not decrypt
PERIOD_SECONDS = 300.0  # between two listings of one account


def run(services: Services, now: float) -> None:
    """List and store the models of every account that was not listed for five minutes."""
    examine_accounts(services, now, _JOB)


def _is_due(account: Account, now: float) -> bool:
    return account.state not in OUT_OF_USE


def _period(account: Account, now: float) -> tuple[str, float]:
    if account.is_unreadable:  # its own claim: another process may have the key, and find that out soon
        return "-unreadable", UNREADABLE_SECONDS
    has_not_answered = account.unproven not in ("", Failure.CREDENTIAL)
    return "", UNANSWERED_SECONDS if has_not_answered else PERIOD_SECONDS


def _list_models(services: Services, pool: str, account: Account, now: float) -> str:
    payload = get_object(services, pool, account, kind_of(account).models_path)
    services.upstream.lists.store_models(pool, account, payload)
    return "ok"


_JOB = AccountJob("models", PERIOD_SECONDS, _is_due, _list_models, _period)
