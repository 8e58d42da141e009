"""Check pools: whether they serve, keys that no account can serve, leases that are never released."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from shlex import quote
from weakref import WeakKeyDictionary

from app.accounts.account import Account, demo_serves
from app.accounts.kinds import kind_of
from app.accounts.model_routes import RouteTable
from app.formatting import counted, duration
from app.operations.check_accounts import check_accounts, check_model_rests
from app.operations.check_limits import check_strict_limits, check_usage
from app.operations.check_requests import check_refused_models
from app.operations.check_stores import CheckStores
from app.operations.check_webhooks import check_webhooks
from app.operations.diagnostic import Diagnostic, Level, Subject, group_diagnostics, pool_option
from app.operations.pool_limits import PoolLimits, read_pool_limits
from app.operations.stored_accounts import StoredAccount, read_accounts
from app.operations.unlisted_models import lists_model, routes_match
from app.patterns import matches
from app.stores.records.accounts import AccountState
from app.stores.records.api_keys import ApiKey
from app.stores.secrets import Vault

SOON_SECONDS = 3 * 86400.0  # before a key expires
COUNTED_SECONDS = 300.0  # how long the count of values under old secret keys is reused
OVERDUE_MS = 60_000  # a lease that expired so long ago: running processes sweep them within seconds


def check_pools(
    stores: CheckStores, pool: str | None, limits: PoolLimits | None = None
) -> Iterator[Diagnostic]:
    """Yield the problems of *pool*, whose *limits* may have been read already, or of all pools."""
    names = [name for name in stores.pools.names() if pool in (None, name)]
    if not names:
        yield Diagnostic(Level.WRONG, "pools", "there is none", "add an account: poolgate account add --help")
    for name in names:
        yield from _check_pool(stores, name, limits or read_pool_limits(stores, name))


_counted: WeakKeyDictionary[Vault, tuple[float, int]] = (
    WeakKeyDictionary()
)  # by vault: (time of the count, values under older keys)


def check_secret_keys(stores: CheckStores) -> Iterator[Diagnostic]:
    """Yield a finding if values are still encrypted with a secret key that is not the newest."""
    if stores.vault.size == 1:
        return
    at, older = _counted.get(stores.vault, (-COUNTED_SECONDS, 0))
    if time.monotonic() - at >= COUNTED_SECONDS:  # the count reads all keys of the store
        older = stores.count_sealed().older
        _counted[stores.vault] = time.monotonic(), older
    if older:
        credentials = counted(older, "credential is", "credentials are")
        what = f"{credentials} still encrypted with an old key of POOLGATE_SECRET_KEYS"
        yield Diagnostic(Level.NOTE, "secret keys", what, "poolgate ops reseal")


def _check_pool(stores: CheckStores, name: str, limits: PoolLimits) -> list[Diagnostic]:
    """Return the problems of one pool; the number of round trips does not grow with the pool."""
    records, now = read_accounts(stores, name), limits.now
    overdue = stores.health.count_overdue_leases(name, now * 1000 - OVERDUE_MS)
    findings = [*_check_serving(name, records)]
    if not limits.usable:
        findings.append(
            Diagnostic(
                Level.NOTE,
                name,
                "it has no usable key",
                f"poolgate key create --name NAME{pool_option(name)}",
            )
        )
    if overdue:
        what = f"{counted(overdue, 'request is', 'requests are')} over, but still counted as running"
        findings.append(Diagnostic(Level.WRONG, name, what, "start a worker: python -m workers"))
    if stores.health.has_unfinished_restore(name):
        what, remedy = "a restore into it was interrupted", "run poolgate restore again, with its file"
        findings.append(Diagnostic(Level.NOTE, name, what, remedy))
    findings += check_accounts(name, records, now)
    findings += check_model_rests(name, records, stores.model_rests.all(name, now))
    routes = stores.routes.current(name)
    findings += _check_routes(name, routes, {record.account.id for record in records})
    for key in limits.usable if records else ():
        findings += _check_key(name, key, [record.account for record in records], routes)
        findings += _check_expiry(name, key, now)
    findings += check_usage(name, limits)
    findings += check_strict_limits(stores, name, limits, records)
    findings += check_refused_models(stores, name, records, routes, now)
    findings += check_webhooks(stores, name)
    return group_diagnostics(findings)


def _check_serving(pool: str, records: Sequence[StoredAccount]) -> Iterator[Diagnostic]:
    real = [record for record in records if not kind_of(record.account).is_simulated]
    active = [record for record in real if record.account.state == AccountState.ACTIVE]
    why = f"poolgate account list{pool_option(pool)} shows why"
    if not records:
        yield Diagnostic(Level.WRONG, pool, "it has no account", "add one: poolgate account add --help")
    elif _only_demo(records):
        yield _demo_serves(pool, real, why)
    elif not active:
        yield Diagnostic(Level.WRONG, pool, "every account is out of use, so all requests are refused", why)
    elif not any(record.is_readable for record in active):
        what = "no account in use has a credential that can be read, so all requests fail"
        yield Diagnostic(Level.WRONG, pool, what, "put the former key back into POOLGATE_SECRET_KEYS")
    elif all(record.is_unreachable for record in active):
        what = "no account in use answered the latest request for its models"
        yield Diagnostic(Level.WRONG, pool, what, "poolgate account test shows the problem of one")


def _demo_serves(pool: str, real: Sequence[StoredAccount], why: str) -> Diagnostic:
    """Return the finding for a pool in which the demo account serves; *why* is the remedy if others exist."""
    if any(record.account.state == AccountState.ACTIVE for record in real):
        return Diagnostic(Level.NOTE, pool, "no account but the demo account has answered yet", why)
    level, remedy = (Level.WRONG, why) if real else (Level.NOTE, "add one: poolgate account add --help")
    return Diagnostic(level, pool, "only the demo account serves; requests for real models fail", remedy)


def _only_demo(records: Sequence[StoredAccount]) -> bool:
    """Return whether only the simulated upstream serves, which answers demo models alone."""
    accounts = [record.account for record in records]
    is_used = any(
        kind_of(account).is_simulated and account.state == AccountState.ACTIVE for account in accounts
    )
    return is_used and demo_serves(accounts)


def _check_expiry(pool: str, key: ApiKey, now: float) -> Iterator[Diagnostic]:
    if key.expires_at and key.expires_at < now + SOON_SECONDS:
        detail = f"in {duration(key.expires_at - now)}"
        yield Diagnostic(
            Level.NOTE,
            pool,
            "expires",
            f"poolgate key set NAME{pool_option(pool)} --expires DATE",
            Subject.KEY,
            (key.name,),
            detail,
        )


def _check_routes(pool: str, routes: RouteTable, known: Collection[str]) -> Iterator[Diagnostic]:
    """Yield the routes that name accounts whose ids are not *known*."""
    for route in (*routes.exact.values(), *routes.patterns):
        if not route.accounts() <= set(known):
            what = f"the model route '{route.name}' names removed accounts or empty groups"
            remedy = f"poolgate model set {quote(route.name)}{pool_option(pool)}, with other accounts; an "
            remedy += "account that is added under the name of a removed one takes its place"
            yield Diagnostic(Level.NOTE, pool, what, remedy)


def _check_key(pool: str, key: ApiKey, known: Sequence[Account], routes: RouteTable) -> Iterator[Diagnostic]:
    """
    Yield the reason no account can ever serve *key*, or one of its models, whatever the accounts' states.
    """
    of_key = (Subject.KEY, (key.name,))
    allowed = [account for account in known if key.may_use_account(account.id)]
    if not allowed:
        what = "every account it is bound to has been removed"
        yield Diagnostic(
            Level.WRONG, pool, what, f"poolgate key set NAME{pool_option(pool)} --accounts A,B", *of_key
        )
        return
    for model in key.models:
        if routes_match(routes, model):
            continue
        offering = [account for account in allowed if not account.models or _serves(account, model)]
        if not offering:
            what = f"no account it may use offers {model}"
            remedy = f"poolgate key set NAME{pool_option(pool)} --models, or poolgate account set --models"
            yield Diagnostic(Level.WRONG, pool, what, remedy, *of_key)
        elif not any(_may_have(account, model) for account in offering):
            what = f"none of its accounts offers {model}"
            yield Diagnostic(Level.NOTE, pool, what, "look at poolgate account list", *of_key)


def _serves(account: Account, name: str) -> bool:
    """Return whether *account* may serve *name*, or, if *name* is a pattern, a model that matches it."""
    return any(matches(name, model) for model in account.served_models)


def _may_have(account: Account, model: str) -> bool:
    return not account.listed or lists_model(account, model)
