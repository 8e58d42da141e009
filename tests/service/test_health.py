"""One truth about health: probe, overview, admin API and `doctor` of a real service agree."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest
import requests
from cryptography.fernet import Fernet

from app.accounts.account import Account
from app.accounts.pools import DEFAULT
from app.operations.readiness import UNREADABLE
from app.stores import keys
from app.stores.records.operators import NewAdminToken
from tests.support.gateway import Gateway, running_gateway
from tests.support.processes import eventually
from tests.support.redis import private_redis

PASSWORD = "correct horse battery"
SECONDS = 20.0


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A service of its own: its default pool is changed here."""
    with private_redis() as url, running_gateway(url, tmp_path_factory.mktemp("home"), workers=1) as made:
        yield made


@pytest.fixture
def unreadable(gateway: Gateway) -> Iterator[None]:
    """The only account of the default pool has a credential that was encrypted with another key."""
    accounts, client = gateway.services.accounts, gateway.services.scripts.client
    stored = accounts.add(DEFAULT, Account("", "main", "openai", "http://x/v1", credential="sk"))
    sealed = Fernet(Fernet.generate_key()).encrypt(b"sk").decode()
    client.hset(keys.account(DEFAULT, stored.id), "credential", sealed)
    yield
    accounts.remove(DEFAULT, "main", although_bound=True)


def ready(gateway: Gateway) -> tuple[int, str]:
    response = requests.get(f"{gateway.url}/health/ready", timeout=10)
    return response.status_code, response.json().get("reason", "")


def overview(gateway: Gateway) -> str:
    """Sign in as the first operator and return the first page."""
    session = requests.Session()
    token = gateway.services.operator_stores.operators.new_start_token()
    page = session.get(f"{gateway.url}/admin/first-start?token={token}", timeout=30).text
    (csrf,) = set(re.findall(r'name="csrf_token" value="([^"]+)"', page))
    form = {"token": token, "name": "ann", "password": PASSWORD, "password_again": PASSWORD}
    session.post(f"{gateway.url}/admin/first-start", form | {"csrf_token": csrf}, timeout=30)
    return html.unescape(session.get(f"{gateway.url}/admin/p/{DEFAULT}/", timeout=30).text)


def test_credentials_that_cannot_be_decrypted(gateway: Gateway, unreadable: None) -> None:
    assert eventually(lambda: ready(gateway) == (503, UNREADABLE), SECONDS)

    _, secret = gateway.services.operator_stores.admin_tokens.create(NewAdminToken("ci", "test"))
    bearer = {"Authorization": f"Bearer {secret}"}
    reply = requests.get(f"{gateway.url}/admin/api/health?pool={DEFAULT}", headers=bearer, timeout=30).json()
    page = overview(gateway)

    assert reply["ok"] is False
    found = [one["what"] for one in reply["data"]]
    assert "no account in use has a credential that can be read, so all requests fail" in found
    assert [what for what in found if what not in page] == []
    assert "Nothing needs attention" not in page


def test_an_empty_pool_is_ready(gateway: Gateway) -> None:
    """Accounts are added through the service; having none is a finding."""
    assert eventually(lambda: ready(gateway) == (200, ""), SECONDS)
