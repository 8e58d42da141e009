"""Names of pools, accounts, API keys, teams and webhooks, for shell completion."""

from __future__ import annotations

from app.stores import keys
from app.stores.scripts import Scripts


class NameRepository:
    """Reads names only. Its methods take one round trip each."""

    def __init__(self, scripts: Scripts) -> None:
        self._client = scripts.client

    def pools(self) -> list[str]:
        """Return the names of all pools."""
        return list(self._client.smembers(keys.POOLS))

    def accounts(self, pool: str) -> list[str]:
        """Return the names of the accounts of *pool*."""
        return list(self._client.hkeys(keys.account_names(pool)))

    def api_keys(self, pool: str) -> list[str]:
        """Return the names of the API keys of *pool*."""
        return list(self._client.hkeys(keys.key_names(pool)))

    def teams(self, pool: str) -> list[str]:
        """Return the names of the teams of *pool*."""
        return list(self._client.smembers(keys.team_names(pool)))

    def webhooks(self, pool: str) -> list[str]:
        """Return the names of the webhooks of *pool*."""
        return list(self._client.hkeys(keys.webhooks(pool)))
