"""The accounts and the API key that `poolgate up` creates if they are missing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import click

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.kinds import kind_of, openai
from app.accounts.kinds.demo import KIND as demo_kind
from app.accounts.pools import DEFAULT
from app.cli.options import operations
from app.cli.snippet import NO_MODEL
from app.demo.server import MODELS
from app.errors import NotFound
from app.operations.account_check import example_model
from app.operations.service import AdminOperations
from app.stores.records.accounts import DEMO_OFF, AccountState
from app.stores.records.audit import Via
from app.wiring import Services


@dataclass(frozen=True, slots=True)
class DemoUpstream:
    """The port of the simulated upstream, and its key."""

    port: int
    key: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """Facts for the first requests of a caller; `key` is the secret if the key was just created."""

    key_name: str
    key: str | None
    has_accounts: bool
    model: str  # for the example request
    start_token: str | None  # to create the first operator; None if there is one


def prepare(
    services: Services, demo: DemoUpstream | None, openai_api_key: str, *, is_only_gateway: bool = True
) -> Prepared:
    """
    Create the requested accounts and the API key that are missing.

    Without *demo*, an earlier start's demo account is paused if this *is_only_gateway* of the store.
    """
    accounts, admin = services.accounts, operations(services, Via.START)
    if demo is not None:
        _store_demo_account(accounts, admin, demo)
    elif is_only_gateway:
        _pause_demo_account(accounts)
    if openai_api_key and _find(accounts, "openai") is None:
        base_url = services.settings.openai_base_url
        kind = openai.KIND.name
        account = Account(id="", name="openai", kind=kind, base_url=base_url, credential=openai_api_key)
        added = admin.accounts.put(DEFAULT, account)
        for remark in added.remarks:
            click.echo(f"Note: account '{added.name}': {remark}.", err=True)
        admin.accounts.fetch_listing(DEFAULT, added)
    usable = [each for each in accounts.all(DEFAULT) if demo or not kind_of(each).is_simulated]
    name = "demo" if demo is not None else "first"
    exists = any(key.name == name for key in services.api_keys.all(DEFAULT))
    return Prepared(
        key_name=name,
        key=None if exists else admin.api_keys.create(DEFAULT, {"name": name})[1],
        has_accounts=bool(usable),
        model=example_model(usable) or NO_MODEL,
        start_token=None
        if services.settings.admin == "off"
        else services.operator_stores.operators.new_start_token(),
    )


def _store_demo_account(accounts: AccountRepository, admin: AdminOperations, demo: DemoUpstream) -> None:
    """Store the account `demo` with the port and key of this start."""
    known = _find(accounts, "demo")
    account = known or Account(id="", name="demo", kind=demo_kind.name, base_url="")
    account = replace(account, base_url=f"http://127.0.0.1:{demo.port}/v1", credential=demo.key)
    stored = admin.accounts.put(DEFAULT, account)
    if known and known.state == AccountState.PAUSED and known.reason == DEMO_OFF:
        accounts.resume(DEFAULT, "demo")
    accounts.list_models(DEFAULT, stored.id, list(MODELS))  # otherwise the worker would list them only later


def _pause_demo_account(accounts: AccountRepository) -> None:
    """Pause the account `demo`, because its upstream does not run; `up --demo` resumes it."""
    known = _find(accounts, "demo")
    if known and known.kind == demo_kind.name and known.state != AccountState.PAUSED:
        accounts.pause(DEFAULT, "demo", DEMO_OFF)


def _find(accounts: AccountRepository, name: str) -> Account | None:
    try:
        return accounts.find(DEFAULT, name)
    except NotFound:
        return None
