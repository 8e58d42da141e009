"""Keys that another gateway made."""

from __future__ import annotations

import secrets

import pytest
import requests

from app.accounts.pools import DEFAULT
from app.stores.records.api_keys import FOREIGN_POOL
from app.stores.secrets import digest_of
from tests.support.gateway import Gateway

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "api-key"])
def test_stay_valid_in_every_header(gateway: Gateway, header: str) -> None:
    """What its key may use applies."""
    secret, name = f"sk-{secrets.token_urlsafe(16)}", f"foreign-{secrets.token_hex(4)}"
    headers = {header: f"Bearer {secret}" if header == "Authorization" else secret}
    assert FOREIGN_POOL == DEFAULT
    refused = requests.get(f"{gateway.url}/v1/models", headers=headers, timeout=10)
    assert refused.json()["error"]["message"].endswith("they begin with sk-pg-")
    gateway.services.pools.ensure(FOREIGN_POOL)
    gateway.services.api_keys.create(
        FOREIGN_POOL,
        name,
        foreign_digest=digest_of(secret),
        models=("other",),
    )

    assert requests.get(f"{gateway.url}/v1/models", headers=headers, timeout=10).status_code == 200
    response = requests.post(f"{gateway.url}/v1/chat/completions", json=CHAT, headers=headers, timeout=10)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "model_not_allowed")
