"""Find models that a key, a limit or a model route names and that no account lists: probable mistakes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from app.accounts.account import MAX_INDEXED, Account
from app.accounts.model_routes import RouteTable
from app.formatting import natural
from app.limits.counted_models import counts_model
from app.patterns import matches
from app.stores.records.limits import Limit
from app.stores.records.model_routes import GROUP_PREFIX, ModelRoute, RouteTarget
from app.suggestions import aside

MAX_NAMES = 5  # names of models, and of accounts, in a sentence


@dataclass(frozen=True, slots=True)
class UnlistedModels:
    """
    Models that no account lists, in the order in which they were named.

    `silent` are the names of accounts that may have them nevertheless: they have listed no models yet.
    `listed` are the models that accounts list.
    """

    models: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    listed: tuple[str, ...] = field(default=(), compare=False)

    def __bool__(self) -> bool:
        return bool(self.models)

    def sentence(self, which: str = "no account") -> str:
        """Return `no account lists a, b`, followed by the accounts that have not listed their models."""
        text = f"{which} lists {some_names(self.models)}"
        if not self.silent:
            return text + (aside(self.models[0], self.listed) if len(self.models) == 1 else "")
        verb = "has not listed its" if len(self.silent) == 1 else "have not listed their"
        return f"{text} yet; {some_names(self.silent)} {verb} models"


def unlisted_names(names: Sequence[str], accounts: Sequence[Account], routes: RouteTable) -> UnlistedModels:
    """Return those of *names*, models or patterns, that no route serves and none of *accounts* lists."""
    models = [name for name in names if not routes_match(routes, name)]
    missing = [model for model in models if not any(lists_model(one, model) for one in accounts)]
    return _unlisted(missing, accounts)


def unlisted_in_limits(limits: Sequence[Limit], accounts: Sequence[Account]) -> UnlistedModels:
    """Return the models that *limits* are for and none of *accounts* lists; limits never count a route."""
    patterns = [limit.model for limit in limits if limit.model]
    offered = {model for account in accounts for model in account.offered_models}
    missing = [pattern for pattern in patterns if not any(counts_model(pattern, model) for model in offered)]
    return _unlisted(missing, accounts)


def unlisted_targets(
    route: ModelRoute, accounts: Sequence[Account], routes: Collection[str] = ()
) -> UnlistedModels:
    """
    Return the models of *route* that none of the *accounts* allowed for them lists, and that are no *routes*.

    Targets whose accounts were all removed are left out: nothing is known about their models.
    """
    if not accounts:
        return UnlistedModels()
    ids = {account.id for account in accounts}
    missing: list[str] = []
    usable: list[Account] = []
    for target in (target for step in route.steps for target in step if not target.is_lost(ids)):
        own = [account for account in accounts if _may_use(target, account)]
        if target.model not in routes and not any(lists_model(account, target.model) for account in own):
            missing.append(target.model)
            usable += own
    return UnlistedModels(tuple(dict.fromkeys(missing)), _silent(usable), _listed(usable))


def routes_match(routes: RouteTable, name: str) -> bool:
    """Return whether a route applies to *name* or, if *name* is a pattern, to a name that it matches."""
    return routes.find(name) is not None or any(matches(name, exact) for exact in routes.exact)


def lists_model(account: Account, name: str) -> bool:
    """Return whether *account* offers *name* or, if *name* is a pattern, a model that it matches."""
    return any(matches(name, model) for model in account.offered_models)


def _may_use(target: RouteTarget, account: Account) -> bool:
    """Return whether *target* allows *account*: by name, by group, or because it allows any account."""
    names = target.accounts
    return not names or account.id in names or f"{GROUP_PREFIX}{account.group}" in names


def _unlisted(missing: Sequence[str], accounts: Sequence[Account]) -> UnlistedModels:
    """Return *missing* and those of *accounts* that have listed nothing; empty in a pool without accounts."""
    if not missing or not accounts:
        return UnlistedModels()
    return UnlistedModels(tuple(dict.fromkeys(missing)), _silent(accounts), _listed(accounts))


def _listed(accounts: Iterable[Account]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(model for account in accounts for model in account.offered_models))


def _silent(accounts: Iterable[Account]) -> tuple[str, ...]:
    names = {
        account.name
        for account in accounts
        if not account.has_known_models and len(account.listed) <= MAX_INDEXED
    }
    return tuple(sorted(names, key=natural))


def some_names(names: Sequence[str]) -> str:
    """Return the first MAX_NAMES of *names* and the number of the others: `a, b and 3 more`."""
    shown = names if len(names) <= MAX_NAMES else names[: MAX_NAMES - 1]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
