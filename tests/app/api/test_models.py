"""The list of models, with the details that upstreams report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app import create_app
from app.accounts.account import Account
from app.config import Settings
from app.web_wiring import WebServices, build_web

POOL = "default"


@pytest.fixture
def services(redis_client: Any, redis_url: str, tmp_path: Path) -> WebServices:
    services = build_web(Settings(home=tmp_path, redis_url=redis_url, store_timeout_seconds=5))
    services.pools.ensure(POOL)
    return services


def test_metadata_is_what_the_upstream_reported(services: WebServices) -> None:
    """A model without reported details has none."""
    _, secret = services.api_keys.create(POOL, "k")
    account = services.accounts.add(
        POOL, Account("", "a", "openai", "http://127.0.0.1:1/v1", credential="sk")
    )
    services.accounts.list_models(POOL, account.id, ["m1", "m2"], {"m1": {"context_window": 272000}})

    response = (
        create_app(services).test_client().get("/v1/models", headers={"Authorization": f"Bearer {secret}"})
    )

    first, second = response.get_json()["data"]
    assert (first["id"], first["metadata"]) == ("m1", {"context_window": 272000})
    assert (second["id"], "metadata" in second) == ("m2", False)
