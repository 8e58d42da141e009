"""Which model routes and API keys name an account."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass

from app.accounts.model_routes import PoolRoutes
from app.formatting import natural
from app.operations.unlisted_models import some_names
from app.stores.api_keys import ApiKeyRepository
from app.stores.records.api_keys import ApiKey, KeyState
from app.stores.records.model_routes import ModelRoute


@dataclass(frozen=True, slots=True)
class AccountReferences:
    """The names of the model routes and API keys that name one account, sorted."""

    routes: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.routes or self.keys)

    def sentence(self) -> str:
        """Return what the account, which was just added, took over from a removed one of its name."""
        subjects = [
            _subject(noun, names)
            for noun, names in (("model route", self.routes), ("API key", self.keys))
            if names
        ]
        verb = "names" if len(self.routes) + len(self.keys) == 1 else "name"
        return f"{' and '.join(subjects)} {verb} it, in place of a removed account of this name"


class ReferenceReader:
    """Reads which routes and keys name an account by itself, not by its group."""

    def __init__(self, routes: PoolRoutes, api_keys: ApiKeyRepository) -> None:
        self._routes = routes
        self._api_keys = api_keys

    def read(self, pool: str, account_id: str) -> AccountReferences:
        """Return what names the account with *account_id*. Reads every route and key of *pool*."""
        routes = [route.name for route in self._routes.all(pool).values() if account_id in route.accounts()]
        keys = sorted(key.name for key in self._api_keys.all(pool) if account_id in key.accounts)
        return AccountReferences(tuple(routes), tuple(keys))

    def bound_accounts(self, pool: str, now: float) -> set[str]:
        """Return the ids of the accounts of keys usable at *now*, as remove_account.lua checks."""
        usable = (key for key in self._api_keys.all(pool) if key.state_at(now) is KeyState.ACTIVE)
        return {account_id for key in usable for account_id in key.accounts}

    def removal_warnings(self, pool: str, removed: Set[str], remaining: Collection[str]) -> list[str]:
        """Return sentences about the routes and keys that name accounts with the ids *removed*, each once."""
        table = self._routes.current(pool)  # with the accounts of groups
        routes = [route for route in (*table.exact.values(), *table.patterns) if route.accounts() & removed]
        keys = [key for key in self._api_keys.all(pool) if not removed.isdisjoint(key.accounts)]
        lost_routes = [route for route in routes if route.is_lost(remaining)]
        lost_keys = [key for key in keys if not any(map(key.may_use_account, remaining))]
        return [
            *_removed_from(routes, len(removed)),
            *_lost("model route", lost_routes),
            *_lost("API key", lost_keys),
        ]


def _removed_from(routes: Sequence[ModelRoute], number: int) -> list[str]:
    """Return a sentence about *routes* that name *number* removed accounts, if there are any."""
    if not routes:
        return []
    them = "it, and will use it" if number == 1 else "accounts that are removed, and will use them"
    verb = "names" if len(routes) == 1 else "name"
    return [f"{_subject('model route', _names(routes))} {verb} {them} no longer"]


def _lost(noun: str, lost: Sequence[ModelRoute] | Sequence[ApiKey]) -> list[str]:
    """Return a sentence about those that have *lost* their last account, if there are any."""
    if not lost:
        return []
    requests = "its requests" if len(lost) == 1 else "their requests"
    return [f"{_subject(noun, _names(lost))} will have no account left, so {requests} will fail"]


def _names(named: Sequence[ModelRoute] | Sequence[ApiKey]) -> list[str]:
    return sorted((each.name for each in named), key=natural)


def _subject(noun: str, names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return f"the {noun}{'' if len(names) == 1 else 's'} {some_names(quoted)}"
