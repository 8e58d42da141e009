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
    """The names of the model routes and API keys that name an account, sorted; of keys with their states."""

    routes: tuple[str, ...] = ()
    keys: tuple[tuple[str, KeyState], ...] = ()

    def remarks(self) -> tuple[str, ...]:
        """Return sentences about an account that takes the place of a removed one, which these named."""
        taken = [_subject("model route", self.routes)] if self.routes else []
        if self.keys:
            labels = [
                f"'{name}'" if state is KeyState.ACTIVE else f"'{name}' ({state})"
                for name, state in self.keys
            ]
            taken.append(f"the API key{'' if len(labels) == 1 else 's'} {some_names(labels)}")
        place = "it takes the place of a removed account of this name in"
        return (f"{place} {' and '.join(taken)}",) if taken else ()

    def audited(self) -> dict[str, str]:
        """Return the fields of the audit log about the account; empty ones if nothing names it."""
        return {"model_routes": ", ".join(self.routes), "api_keys": ", ".join(name for name, _ in self.keys)}


class ReferenceReader:
    """Reads which routes and keys name accounts."""

    def __init__(self, routes: PoolRoutes, api_keys: ApiKeyRepository) -> None:
        self._routes = routes
        self._api_keys = api_keys

    def of_former(self, pool: str, name: str, now: float) -> AccountReferences:
        """
        Return what names removed accounts called *name*: there, a new account of that name takes their place.

        Every route and key of *pool* is read if there was such an account. Groups are not followed.
        """
        former = {each for each, last in self._api_keys.former_names(pool).items() if last == name}
        if not former:
            return AccountReferences()
        routes = [route for route in self._routes.all(pool).values() if route.accounts() & former]
        keys = [key for key in self._api_keys.all(pool) if not former.isdisjoint(key.accounts)]
        return AccountReferences(
            tuple(_names(routes)), tuple(sorted((key.name, key.state_at(now)) for key in keys))
        )

    def bound_accounts(self, pool: str, now: float) -> set[str]:
        """Return the ids of the accounts of keys usable at *now*, as remove_account.lua checks."""
        usable = (key for key in self._api_keys.all(pool) if key.state_at(now) is KeyState.ACTIVE)
        return {account_id for key in usable for account_id in key.accounts}

    def removal_warnings(self, pool: str, removed: Set[str], remaining: Collection[str]) -> list[str]:
        """
        Return sentences about the routes and keys that name accounts with the ids *removed*, each once.

        Routes that name a group of these accounts count as well.
        """
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
    """Return a sentence about *routes* that name some of *number* removed accounts, or their groups."""
    if not routes:
        return []
    them = "it" if number == 1 else "the removed accounts"
    return [f"{_subject('model route', _names(routes))} will no longer use {them}"]


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
