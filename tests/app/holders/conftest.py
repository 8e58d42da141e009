"""The holders' application as a browser meets it, in this process, over a real Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.accounts.account import Account
from app.holders import create_holder_app
from app.wiring import Services
from tests.support.admin import Visitor, services_on

POOL = "default"


class Holder(Visitor):
    """A browser in which the holder of a key may sign in."""

    def enter(self, secret: str) -> int:
        """Send the sign-in form with *secret*, and return the status."""
        return self.send("/my/sign-in", {"key": secret}).status_code

    def is_inside(self) -> bool:
        return self.get("/my").status_code == 200


@pytest.fixture
def services(redis_url: str, redis_client: Any, tmp_path: Path) -> Services:
    services = services_on(redis_url, tmp_path)
    services.pools.ensure(POOL)
    services.accounts.add(
        POOL,
        Account(
            "", "secret-account", "openai", "http://127.0.0.1:9/v1", credential="sk-up", models=("m1", "m2")
        ),
    )
    return services


@pytest.fixture
def app(services: Services) -> Flask:
    return create_holder_app(services)


@pytest.fixture
def secret(services: Services) -> str:
    """The secret of the key ann."""
    return services.api_keys.create(POOL, "ann", owner="Ann A.")[1]


@pytest.fixture
def visitor(app: Flask) -> Holder:
    return Holder(app)


@pytest.fixture
def ann(app: Flask, secret: str) -> Holder:
    """The holder of the key ann, signed in."""
    holder = Holder(app, "192.0.2.2")
    assert holder.enter(secret) == 303
    return holder
