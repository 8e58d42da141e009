"""Ask each account's upstream which models it has; `/v1/models` is made of the answers."""

from __future__ import annotations

from app.accounts.account import Account
from app.accounts.kinds import kind_of
from app.stores.records.accounts import OUT_OF_USE
from app.wiring import Services
from workers.account_jobs import AccountJob, look_at_each
from workers.usage import get_object

EVERY_SECONDS = 15.0  # how soon an account that did not answer when it was added is asked again
PERIOD_SECONDS = 300.0  # how often one account is asked


def run(services: Services, now: float) -> None:
    """Keep the models of every account that was not asked for five minutes."""
    look_at_each(services, now, _LOOK)


def _is_wanted(account: Account, now: float) -> bool:
    return account.state not in OUT_OF_USE


def _ask(services: Services, pool: str, account: Account, now: float) -> str:
    payload = get_object(services, pool, account, kind_of(account).models_path)
    services.upstream.lists.store_models(pool, account, payload)
    return "ok"


_LOOK = AccountJob("models", PERIOD_SECONDS, _is_wanted, _ask)
