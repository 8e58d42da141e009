"""When a process is ready: the store answers, and the default pool's credentials can be decrypted."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.accounts.account import Account
from app.accounts.pools import DEFAULT, PoolRepository
from app.errors import StoreUnavailable
from app.operations import readiness
from app.operations.readiness import UNREADABLE, Readiness
from app.stores import health
from app.stores.client import make_client
from app.stores.health import HealthRepository
from app.stores.scripts import Scripts
from app.stores.secrets import Vault


@pytest.fixture
def here(services: Any) -> Readiness:
    return Readiness(services.pools, HealthRepository(services.scripts), services.vault)


@pytest.fixture
def elsewhere(services: Any) -> Readiness:
    """A process with other secret keys."""
    return Readiness(
        services.pools, HealthRepository(services.scripts), Vault((Fernet.generate_key().decode(),))
    )


def add(services: Any, name: str, credential: str = "sk") -> None:
    services.pools.ensure(DEFAULT)
    services.accounts.add(DEFAULT, Account("", name, "compatible", "http://x", credential=credential))


def test_an_empty_installation(here: Readiness, elsewhere: Readiness) -> None:
    """Its first account is added through it."""
    assert here.reason() == elsewhere.reason() == ""


def test_credentials_that_cannot_be_decrypted(services: Any, here: Readiness, elsewhere: Readiness) -> None:
    for number in range(health.BATCH + 1):
        add(services, f"a{number}")

    assert here.reason() == ""
    assert elsewhere.reason() == UNREADABLE


def test_one_that_can_be_used(services: Any, elsewhere: Readiness) -> None:
    for number in range(health.BATCH):
        add(services, f"a{number}")
    add(services, "z", credential="")

    assert elsewhere.reason() == ""


def test_paused_accounts_do_not_count(services: Any, elsewhere: Readiness) -> None:
    add(services, "a")
    services.accounts.pause(DEFAULT, "a")

    assert elsewhere.reason() == ""


def test_accounts_that_rest_are_no_reason(services: Any, here: Readiness) -> None:
    """Every process has the same: taking this one out of service would help no one."""
    add(services, "a")
    spent = {"state": "window_spent", "reason": "spent", "wait_ms": 3_600_000}
    services.accounts.observe(DEFAULT, services.accounts.find(DEFAULT, "a").id, {}, outcome=spent)

    assert here.reason() == ""


def test_the_store_is_checked_once_a_second(services: Any) -> None:
    now = [100.0]
    other = Vault((Fernet.generate_key().decode(),))
    probe = Readiness(services.pools, HealthRepository(services.scripts), other, lambda: now[0])
    assert probe.reason() == ""
    add(services, "a")

    assert probe.reason() == ""
    now[0] += readiness.REUSED_SECONDS
    assert probe.reason() == UNREADABLE


def test_the_store_is_away(services: Any) -> None:
    client = make_client("redis://127.0.0.1:1/0", 0.2)

    with pytest.raises(StoreUnavailable):
        Readiness(PoolRepository(Scripts(client)), HealthRepository(Scripts(client)), services.vault).reason()
