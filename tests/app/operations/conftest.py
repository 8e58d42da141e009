"""The operations of one actor on a real store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app import administration
from app.config import Settings
from app.operations.service import AdminOperations
from app.stores.records.audit import Actor
from app.wiring import Services, build

ANN = Actor("ann", "api", "192.0.2.7")


@pytest.fixture
def services(redis_client: Any, redis_url: str, issuer: Any, tmp_path: Path) -> Services:
    environ = {
        "REDIS_URL": redis_url,
        "POOLGATE_HOME": str(tmp_path),
        "POOLGATE_SECRET_KEYS": Fernet.generate_key().decode(),
        "POOLGATE_STORE_TIMEOUT_MS": "5000",
        "POOLGATE_OAUTH_ISSUER": issuer.url,
    }
    return build(Settings.from_environment(environ))


@pytest.fixture
def operations(services: Services) -> AdminOperations:
    return administration.operations(services, ANN)


@pytest.fixture
def audited(services: Services) -> Any:
    """Return what was audited, oldest first, as (action, object, before, after)."""

    def read() -> list[tuple[Any, ...]]:
        entries = reversed(services.audit.page().entries)
        return [tuple(entry[name] for name in ("action", "object", "before", "after")) for entry in entries]

    return read
