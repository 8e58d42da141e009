"""Check the models of refused requests: those that no account has, and those that none can serve now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from app.accounts.account import Account
from app.accounts.model_routes import RouteTable
from app.errors import NoAccounts
from app.formatting import counted
from app.operations.check_stores import CheckStores
from app.operations.diagnostic import Diagnostic, Level, pool_option
from app.operations.stored_accounts import StoredAccount
from app.presentation.route_serving import serving_now
from app.stores.records.accounts import AccountState
from app.stores.records.ledger import LedgerEntry
from app.stores.records.model_routes import RouteTarget

MODEL_MISSING = "model_not_found"
DAY_SECONDS, HOUR_SECONDS = 86400, 3600
MAX_MODELS, MAX_NAME_CHARS = 5, 64  # models in a finding; callers may invent names
BRIEF = (AccountState.SUSPECTED, AccountState.BURST_LIMITED)  # over within seconds


def check_refused_models(
    stores: CheckStores, pool: str, records: Sequence[StoredAccount], routes: RouteTable, now: float
) -> Iterator[Diagnostic]:
    """Yield the models of refused requests of *pool* that need attention. One round trip."""
    entries = [refusal.entry for refusal in stores.refusals.entries(pool)]
    accounts = [record.account for record in records]
    yield from _check_missing_models(pool, _since(entries, now - DAY_SECONDS), accounts)
    yield from _check_unserved_models(pool, _since(entries, now - HOUR_SECONDS), accounts, routes, now)


def _since(entries: Sequence[LedgerEntry], since: float) -> list[LedgerEntry]:
    return [entry for entry in entries if entry.row["at_ms"] >= since * 1000]


def _check_missing_models(
    pool: str, entries: Sequence[LedgerEntry], accounts: Sequence[Account]
) -> Iterator[Diagnostic]:
    """Yield the models for which requests were refused, and that no account lists now."""
    offered = {model for account in accounts for model in account.offered_models}
    missing = (entry.row["model"] for entry in entries if entry.row["error"] == MODEL_MISSING)
    if requested := Counter(model for model in missing if model not in offered):
        what = f"models were requested that no account lists: {_names(requested)}"
        remedy = "add an account that has them, or see poolgate request list --refused"
        yield Diagnostic(Level.NOTE, pool, what, remedy)


def _check_unserved_models(
    pool: str,
    entries: Sequence[LedgerEntry],
    accounts: Sequence[Account],
    routes: RouteTable,
    now: float,
) -> Iterator[Diagnostic]:
    """
    Yield the names whose requests were refused because no account was available, and that none can serve now.

    None if every account is out of use, which is another finding.
    """
    lasting = [
        replace(account, state=AccountState.ACTIVE, in_flight=0) if account.state in BRIEF else account
        for account in accounts
    ]
    if not any(account.state == AccountState.ACTIVE for account in lasting):
        return
    refused = Counter(
        entry.requested_model or entry.model for entry in entries if entry.row["error"] == NoAccounts.code
    )
    unserved = Counter[str]()
    for name, count in refused.items():
        route = routes.find(name)
        steps = route.steps if route is not None else ((RouteTarget(name),),)
        if serving_now(steps, lasting, {}, now)["model"] is None:
            unserved[name] = count
    if unserved:
        times = counted(unserved.total(), "request was", "requests were")
        what = f"no account can serve {_names(unserved)}; at least {times} refused in the last hour"
        remedy = f"poolgate model resolve MODEL{pool_option(pool)} shows why"
        yield Diagnostic(Level.WRONG, pool, what, remedy)


def _names(requested: Counter[str]) -> str:
    """Return the most frequent names of *requested*, as one text."""
    names = ", ".join(_shown(name) for name, _ in requested.most_common(MAX_MODELS))
    more = f" and {len(requested) - MAX_MODELS} more" if len(requested) > MAX_MODELS else ""
    return names + more


def _shown(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name[:MAX_NAME_CHARS])
