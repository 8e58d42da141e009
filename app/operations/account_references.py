"""Which model routes and API keys name an account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.accounts.model_routes import PoolRoutes
from app.operations.unlisted_models import some_names
from app.stores.api_keys import ApiKeyRepository
from app.stores.records.api_keys import KeyState


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

    def is_bound(self, pool: str, account_id: str, now: float) -> bool:
        """Return whether a key usable at *now* is restricted to the account, as remove_account.lua checks."""
        keys = (key for key in self._api_keys.all(pool) if account_id in key.accounts)
        return any(key.state_at(now) is KeyState.ACTIVE for key in keys)


def _subject(noun: str, names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return f"the {noun}{'' if len(names) == 1 else 's'} {some_names(quoted)}"
