from __future__ import annotations

import pytest

from app.accounts.account import Account
from app.accounts.kinds import KINDS
from app.wiring import Services

POOL = "default"


class Furnished:
    """A pool to which a test adds what its page is to show."""

    def __init__(self, services: Services) -> None:
        self.services = services
        services.pools.ensure(POOL)

    def account(self, name: str, kind: str = "openai", **more: object) -> Account:
        fields = {"protocols": KINDS[kind].protocols, "credential": f"sk-{name}", **more}
        return self.services.accounts.add(POOL, Account("", name, kind, "http://127.0.0.1:9/v1", **fields))  # type: ignore[arg-type]

    def key(self, name: str, **more: object) -> str:
        return self.services.api_keys.create(POOL, name, **more)[1]  # type: ignore[arg-type]


@pytest.fixture
def pool(services: Services) -> Furnished:
    return Furnished(services)
