"""What `poolgate up` puts into the store, each once: an account to try, a key to call with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.pools import DEFAULT
from app.cli.options import operations
from app.demo.server import MODELS
from app.errors import NotFound
from app.operations.service import AdminOperations
from app.stores.records.audit import Via
from app.wiring import Services


@dataclass(frozen=True, slots=True)
class DemoUpstream:
    """Where this start's simulated upstream listens, and the key it wants."""

    port: int
    key: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a caller can start with; `key` is the secret if it was made now, and never known again."""

    key_name: str
    key: str | None
    has_accounts: bool
    start_token: str | None  # lets the first person in to the admin pages; None when somebody was


def prepare(services: Services, demo: DemoUpstream | None, openai_api_key: str) -> Prepared:
    """Make the accounts and the API key that are wanted and missing."""
    accounts, operations_of_start = services.accounts, operations(services, Via.START)
    if demo is not None:
        _put_demo_account(accounts, operations_of_start, demo)
    if openai_api_key and _find(accounts, "openai") is None:
        base_url = services.settings.openai_base_url
        account = Account(id="", name="openai", kind="openai", base_url=base_url, credential=openai_api_key)
        added = operations_of_start.accounts.put(DEFAULT, account)
        operations_of_start.accounts.fetch_listing(DEFAULT, added)
    name = "demo" if demo is not None else "first"
    exists = any(key.name == name for key in services.api_keys.all(DEFAULT))
    return Prepared(
        key_name=name,
        key=None if exists else operations_of_start.api_keys.create(DEFAULT, {"name": name})[1],
        has_accounts=any(demo or account.kind != "demo" for account in accounts.all(DEFAULT)),
        start_token=None
        if services.settings.admin == "off"
        else services.operator_stores.operators.new_start_token(),
    )


def _put_demo_account(
    accounts: AccountRepository, operations_of_start: AdminOperations, demo: DemoUpstream
) -> None:
    """Point the account `demo` at this start's upstream, whose port and key are new each time."""
    known = _find(accounts, "demo")
    account = known or Account(id="", name="demo", kind="demo", base_url="")
    account = replace(account, base_url=f"http://127.0.0.1:{demo.port}/v1", credential=demo.key)
    stored = operations_of_start.accounts.put(DEFAULT, account)
    accounts.list_models(DEFAULT, stored.id, list(MODELS))  # the worker would ask, but a while from now


def _find(accounts: AccountRepository, name: str) -> Account | None:
    try:
        return accounts.find(DEFAULT, name)
    except NotFound:
        return None
