"""Errors about names that are not there have similar ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.accounts.account import Account
from app.config import Settings
from app.errors import NotFound
from app.stores import keys
from app.stores.records.model_routes import ModelRoute, RouteTarget
from app.stores.records.webhooks import Webhook
from app.suggestions import MAX_NAMES
from app.wiring import Services, build

POOL = "default"


@pytest.fixture
def services(redis_client: Any, redis_url: str, tmp_path: Path) -> Services:
    return build(
        Settings.from_environment(
            {
                "REDIS_URL": redis_url,
                "POOLGATE_HOME": str(tmp_path / "home"),
                "POOLGATE_SECRET_KEYS": Fernet.generate_key().decode(),
                "POOLGATE_STORE_TIMEOUT_MS": "5000",
            }
        )
    )


@pytest.fixture
def furnished(services: Services) -> Services:
    services.pools.ensure(POOL)
    services.pools.ensure("laboratory")
    services.accounts.add(POOL, Account("", "main", "openai", "http://up.test", credential="sk"))
    services.teams.create(POOL, "research")
    services.api_keys.create(POOL, "ann", team="research")
    services.routes.put(POOL, ModelRoute("fast", ((RouteTarget("m"),),)))
    services.alerting.webhooks.add(POOL, Webhook("slack", "https://hooks.example.com/1"))
    return services


@pytest.mark.parametrize(
    ("find", "similar"),
    [
        (lambda services: services.api_keys.find(POOL, "anm"), "ann"),
        (lambda services: services.accounts.find(POOL, "mian"), "main"),
        (lambda services: services.accounts.ids(POOL, ["main", "maim"]), "main"),
        (lambda services: services.teams.find(POOL, "reserach"), "research"),
        (lambda services: services.api_keys.change(POOL, "ann", team="researh"), "research"),
        (lambda services: services.routes.find(POOL, "fsat"), "fast"),
        (lambda services: services.alerting.webhooks.find(POOL, "slak"), "slack"),
        (lambda services: services.pools.check("labratory"), "laboratory"),
    ],
)
def test_a_misspelt_name(furnished: Services, find: Callable[[Services], Any], similar: str) -> None:
    with pytest.raises(NotFound, match=rf"\. Did you mean '{similar}'\?$"):
        find(furnished)


def test_many_keys(services: Services, redis_client: Any) -> None:
    """Only some of the names are read."""
    services.pools.ensure(POOL)
    names = {f"key-{number:06}": f"key_{number}" for number in range(20 * MAX_NAMES)}
    redis_client.hset(keys.key_names(POOL), mapping=names)

    with pytest.raises(NotFound, match=r"no key named 'key-1'"):
        services.api_keys.find(POOL, "key-1")
