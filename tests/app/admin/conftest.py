from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.wiring import Services
from tests.support.admin import PASSWORD, Visitor, admin_app, services_on


@pytest.fixture
def services(redis_url: str, redis_client: Any, tmp_path: Path) -> Services:
    return services_on(redis_url, tmp_path)


@pytest.fixture
def app(services: Services) -> Flask:
    return admin_app(services)


@pytest.fixture
def ann(services: Services) -> str:
    """An operator."""
    return services.doors.operators.create("ann", PASSWORD).name


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    """Somebody who is not signed in."""
    return Visitor(app)


@pytest.fixture
def inside(app: Flask, ann: str) -> Visitor:
    """Somebody who is signed in as ann."""
    visitor = Visitor(app, "192.0.2.2")
    assert visitor.sign_in().status_code == 303
    return visitor
