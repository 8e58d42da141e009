"""What is wrong with pools: whether they serve, keys that no account can serve, requests that never end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from app.accounts.account import Account, demo_serves
from app.accounts.failures import AccountState
from app.accounts.pools import DEFAULT
from app.backup.reseal import Reseal
from app.formatting import duration
from app.operations.check_accounts import Record, accounts, read_records
from app.operations.check_limits import refusing, used_up
from app.operations.check_requests import missing_models
from app.operations.diagnostic import KEY, NOTE, WRONG, Finding, grouped
from app.stores import keys
from app.stores.client import store_errors
from app.stores.records.api_keys import ApiKey
from app.stores.secrets import Vault

if TYPE_CHECKING:
    from app.wiring import Services

SOON_SECONDS = 3 * 86400.0  # before the end of a key
COUNTED_SECONDS = 300.0  # how long a count of old secret keys is reused
OVERDUE_MS = 60_000  # leases are swept within seconds where anything runs


def pools(services: Services, pool: str | None) -> Iterator[Finding]:
    """Yield what is wrong in *pool*, or in all."""
    names = [name for name in services.pools.names() if pool in (None, name)]
    if not names:
        yield Finding(WRONG, "pools", "there is none", "add an account: poolgate account add --help")
    for name in names:
        yield from _pool(services, name)


_counted: WeakKeyDictionary[Vault, tuple[float, int]] = WeakKeyDictionary()  # by vault: when, older keys


def old_keys(services: Services) -> Iterator[Finding]:
    """Yield whether something is still encrypted with a secret key that is not the newest."""
    if services.vault.size == 1:
        return
    at, older = _counted.get(services.vault, (-COUNTED_SECONDS, 0))
    if time.monotonic() - at >= COUNTED_SECONDS:  # it looks through all keys of the store
        older = Reseal(services.scripts, services.vault, services.pools.names()).count().older
        _counted[services.vault] = time.monotonic(), older
    if older:
        what = f"{older} credentials are still encrypted with an old key of POOLGATE_SECRET_KEYS"
        yield Finding(NOTE, "secret keys", what, "poolgate ops reseal")


def _pool(services: Services, name: str) -> list[Finding]:
    """Return what is wrong in one pool, in a number of round trips that does not grow with it."""
    records, api_keys = read_records(services, name), services.api_keys.all(name)
    with store_errors():
        now, _ = services.scripts.client.time()
        unfinished = services.scripts.client.exists(keys.restore_by(name))
        overdue = int(services.scripts.client.zcount(keys.leases(name), "-inf", now * 1000 - OVERDUE_MS))
    usable = [key for key in api_keys if key.state == "active" and not is_expired(key, now)]
    found = [*_whether_it_serves(name, records)]
    if not usable:
        found.append(
            Finding(NOTE, name, "it has no usable key", f"poolgate key create --name NAME{_in(name)}")
        )
    if overdue:
        what = f"{overdue} requests are over, but their slots were not taken back"
        found.append(Finding(WRONG, name, what, "start a worker: python -m workers"))
    if unfinished:
        what, remedy = "a restore into it broke off", "run poolgate restore again, with its file"
        found.append(Finding(NOTE, name, what, remedy))
    found += accounts(name, records, now)
    for key in usable if records else ():
        found += _key(name, key, [record.account for record in records])
        found += _expiry(name, key, now)
    found += used_up(services, name, usable)
    found += refusing(services, name, usable, records)
    found += missing_models(services, name, records, now)
    return grouped(found)


def is_expired(key: ApiKey, now: float) -> bool:
    """Return whether *key* is refused since its expiry; *now* in Unix seconds."""
    return bool(key.expires_at) and (key.expires_at or 0) <= now


def _whether_it_serves(pool: str, records: Sequence[Record]) -> Iterator[Finding]:
    real = [record for record in records if record.account.kind != "demo"]
    active = [record for record in real if record.account.state == AccountState.ACTIVE]
    if not records:
        yield Finding(WRONG, pool, "it has no account", "add one: poolgate account add --help")
    elif _only_demo(records):
        level, remedy = (WRONG, "see below") if real else (NOTE, "add one: poolgate account add --help")
        yield Finding(level, pool, "only the demo account serves; real models are not answered", remedy)
    elif not active:
        yield Finding(WRONG, pool, "every account is out, so all requests are refused", "see below")
    elif not any(record.is_readable for record in active):
        what = "no account in use has a credential that can be read, so all requests fail"
        yield Finding(WRONG, pool, what, "put the former key back into POOLGATE_SECRET_KEYS")
    elif all(record.is_unreachable for record in active):
        what = "no account in use answered when it was last asked for its models"
        yield Finding(WRONG, pool, what, "poolgate account test says what is wrong with one")


def _only_demo(records: Sequence[Record]) -> bool:
    """Return whether the simulated upstream is the only account that serves: it answers demo models alone."""
    accounts = [record.account for record in records]
    in_use = any(each.kind == "demo" and each.state == AccountState.ACTIVE for each in accounts)
    return in_use and demo_serves(accounts)


def _expiry(pool: str, key: ApiKey, now: float) -> Iterator[Finding]:
    if key.expires_at and key.expires_at < now + SOON_SECONDS:
        detail = f"in {duration(key.expires_at - now)}"
        yield Finding(
            NOTE,
            pool,
            "expires",
            f"poolgate key set NAME{_in(pool)} --expires DATE",
            KEY,
            (key.name,),
            detail,
        )


def _key(pool: str, key: ApiKey, known: Sequence[Account]) -> Iterator[Finding]:
    """Yield why nobody can ever serve *key*, or one of its models, whatever state accounts are in."""
    of_key = (KEY, (key.name,))
    allowed = [account for account in known if not key.accounts or account.id in key.accounts]
    if not allowed:
        what = "every account it is bound to has been removed"
        yield Finding(WRONG, pool, what, f"poolgate key set NAME{_in(pool)} --accounts A,B", *of_key)
        return
    for model in key.models:
        offering = [account for account in allowed if model in account.models or not account.models]
        if not offering:
            what = f"no account it may use offers {model}"
            mend = f"poolgate key set NAME{_in(pool)} --models, or poolgate account set --models"
            yield Finding(WRONG, pool, what, mend, *of_key)
        elif not any(_may_have(account, model) for account in offering):
            what = f"no upstream of its accounts lists {model}"
            yield Finding(NOTE, pool, what, "look at poolgate account list", *of_key)


def _may_have(account: Account, model: str) -> bool:
    return model in account.models or not account.listed or model in account.listed


def _in(pool: str) -> str:
    return "" if pool == DEFAULT else f" --pool {pool}"
