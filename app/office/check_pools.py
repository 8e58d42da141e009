"""What is wrong with pools: accounts that are out, keys that nobody can serve, requests nobody ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import orjson

from app.office.finding import NOTE, WRONG, Finding
from app.office.reseal import Reseal
from app.office.words import moment
from app.pool.account import Account
from app.pool.pools import DEFAULT
from app.quotas.api_keys import ApiKey
from app.stores import keys
from app.stores.client import store_errors
from app.stores.secrets import UnreadableSecret

if TYPE_CHECKING:
    from app.wiring import Services

OVERDUE_MS = 60_000  # leases are swept within seconds where anything runs


def pools(services: Services, pool: str | None) -> Iterator[Finding]:
    """Yield what is wrong in *pool*, or in all."""
    names = [name for name in services.pools.names() if pool in (None, name)]
    if not names:
        yield Finding(WRONG, "pools", "there is none", "add an account: poolgate account add --help")
    for name in names:
        yield from _pool(services, name)


def old_keys(services: Services) -> Iterator[Finding]:
    """Yield whether something is still encrypted with a secret key that is not the newest."""
    if services.vault.size == 1:
        return
    counts = Reseal(services.scripts, services.vault, services.pools.names()).count()
    if counts.older:
        what = f"{counts.older} credentials are still encrypted with an old key of POOLGATE_SECRET_KEYS"
        yield Finding(NOTE, "secret keys", what, "poolgate ops reseal")


def _pool(services: Services, name: str) -> Iterator[Finding]:
    accounts, api_keys = services.accounts.all(name), services.api_keys.all(name)
    with store_errors():
        now, _ = services.scripts.client.time()
        unfinished = services.scripts.client.exists(keys.restore_by(name))
        overdue = int(services.scripts.client.zcount(keys.leases(name), "-inf", now * 1000 - OVERDUE_MS))
    if not accounts:
        yield Finding(WRONG, name, "it has no account", "add one: poolgate account add --help")
    elif all(account.state != "active" for account in accounts):
        yield Finding(WRONG, name, "every account is out, so all requests are refused", "see below")
    usable = [
        key for key in api_keys if key.state == "active" and not (key.expires_at and key.expires_at <= now)
    ]
    if not usable:
        yield Finding(NOTE, name, "it has no usable key", f"poolgate key create --name NAME{_in(name)}")
    if overdue:
        what = f"{overdue} requests are over, but nobody has taken their slots back"
        yield Finding(WRONG, name, what, "start a worker: python -m workers")
    if unfinished:
        yield Finding(NOTE, name, "a restore into it broke off", "run poolgate restore again, with its file")
    for account in accounts:
        yield from _account(services, name, account)
    for key in usable if accounts else ():
        yield from _key(name, key, accounts)


def _account(services: Services, pool: str, account: Account) -> Iterator[Finding]:
    where = f"{pool}/{account.name}"
    with store_errors():
        stored = services.scripts.client.hgetall(keys.account(pool, account.id))
    try:
        services.accounts.read(pool, account.id)
    except UnreadableSecret:
        mend = "put the former key back into POOLGATE_SECRET_KEYS, or add the account again"
        yield Finding(WRONG, where, "its credential was encrypted with another key", mend)
    if account.exceeded:
        what = f"it billed more output than a request allowed ({account.exceeded[:200]}); strict limits now "
        what += "reserve the maximum of its models"
        remedy = f"if it keeps lengths now: poolgate account trust-lengths {account.name}{_in(pool)}"
        yield Finding(NOTE, where, what, remedy)
    if account.state != "active":
        yield _out(where, pool, account)
    elif "refresh_dead" in stored:
        what = f"its sign-in cannot be renewed ({stored['refresh_dead']}), and ends by itself"
        yield Finding(WRONG, where, what, _sign_in_anew(pool, account))
    for name, told in sorted(stored.items()):
        if name.startswith("look_") and (result := orjson.loads(told))["result"] != "ok":
            job = name.removeprefix("look_")
            what = f"the job `{job}` found {result['result']} at {moment(result['at'])}"
            yield Finding(NOTE, where, what, "it tries again by itself")


def _out(where: str, pool: str, account: Account) -> Finding:
    reason = f" ({account.reason})" if account.reason else ""
    if account.state == "credential_dead":
        mend = _sign_in_anew(pool, account) if account.signed_in else _add_anew(pool, account)
        return Finding(WRONG, where, f"its credential is refused{reason}", mend)
    if account.state == "paused":
        return Finding(NOTE, where, f"paused{reason}", f"poolgate account resume {account.name}{_in(pool)}")
    until = f" until {moment(account.until_ms / 1000)}" if account.until_ms else ""
    return Finding(NOTE, where, f"{account.state}{until}{reason}", "it comes back by itself")


def _sign_in_anew(pool: str, account: Account) -> str:
    return f"poolgate account login --name {account.name}{_in(pool)}"


def _add_anew(pool: str, account: Account) -> str:
    named = f"{account.name}{_in(pool)}"
    return (
        f"poolgate account set {named} --api-key-stdin"
        f"; or, if it is good after all, poolgate account resume {named}"
    )


def _key(pool: str, key: ApiKey, accounts: Sequence[Account]) -> Iterator[Finding]:
    """Yield why nobody can ever serve *key*, or one of its models, whatever state accounts are in."""
    where = f"{pool}/{key.name}"
    allowed = [account for account in accounts if not key.accounts or account.id in key.accounts]
    if not allowed:
        what = "every account it is bound to has been removed"
        yield Finding(WRONG, where, what, f"poolgate key set {key.name}{_in(pool)} --accounts A,B")
        return
    for model in key.models:
        offering = [account for account in allowed if model in account.models or not account.models]
        if not offering:
            what = f"no account it may use offers {model}"
            mend = f"poolgate key set {key.name}{_in(pool)} --models, or poolgate account set --models"
            yield Finding(WRONG, where, what, mend)
        elif not any(_may_have(account, model) for account in offering):
            yield Finding(
                NOTE, where, f"no upstream of its accounts lists {model}", "look at poolgate account list"
            )


def _may_have(account: Account, model: str) -> bool:
    return model in account.models or not account.listed or model in account.listed


def _in(pool: str) -> str:
    return "" if pool == DEFAULT else f" --pool {pool}"
