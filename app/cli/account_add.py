"""`poolgate account add`: a command for each kind of account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click

from app.accounts.account import Account, demo_serves
from app.accounts.kinds import KINDS, kind_of
from app.accounts.kinds.kind import Kind, Setup
from app.cli.account_settings import CHANGEABLE, with_proxy
from app.cli.command import Group, example
from app.cli.options import Decorator, in_pool, names_option, operations, read_secret, with_store
from app.cli.output import show_json
from app.operations.account_rules import KIND_RULES
from app.operations.account_warnings import account_warnings
from app.operations.diagnostic import pool_option
from app.operations.first_listing import FirstListing
from app.wiring import Services
from schemas.accounts import AccountInput


@click.group("add", cls=Group)
def add_group() -> None:
    """Add an account. Its key or token is read from a variable or standard input, never from an argument."""


def account_options(secret: str, *, required: bool = True) -> Decorator:
    """
    Add the options that every kind of account has to a command with services, credential and fields.

    *secret* is the prefix of the options for its credential.
    """
    options: list[Decorator] = [
        click.option("--name", required=True, help="1 to 64 letters, digits or . _ - @ +"),
        click.option("--base-url", metavar="URL", help="Base URL of the API, such as https://host/v1."),
        click.option(
            f"--{secret}-env", "variable", metavar="VAR", help="Environment variable that holds it."
        ),
        click.option(f"--{secret}-stdin", "from_stdin", is_flag=True, help="Read it from standard input."),
        names_option("--models", "Models it may serve, all by default"),
        *CHANGEABLE,
        click.option("--must-answer", is_flag=True, help="Add it only if its server lists its models."),
        in_pool,
    ]

    def decorate(run: Callable[..., None]) -> Callable[..., None]:
        run = with_store(run)

        @wraps(run)
        def with_secret(variable: str | None, from_stdin: bool, **rest: Any) -> None:
            run(credential=read_secret(secret, variable, from_stdin, required=required), **rest)

        command: Callable[..., None] = with_secret
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _add_command(kind: Kind, setup: Setup) -> None:
    """Return the command that adds accounts of *kind*."""

    def add(services: Services, **fields: Any) -> None:
        _add(services, kind.name, **fields)

    command = account_options(setup.credential_option, required=setup.needs_credential)(add)
    if setup.protocols_help:
        command = names_option("--wires", setup.protocols_help)(command)
    if setup.needs_account_id:
        option = click.option(
            "--account-id", "chatgpt_account_id", required=True, help="The ChatGPT account ID."
        )
        command = option(command)
    add_group.command(kind.name, epilog=example(setup.example), help=setup.summary)(command)


for _kind in KINDS.values():
    if _kind.setup is not None:
        _add_command(_kind, _kind.setup)


def _add(
    services: Services, kind: str, *, pool: str, as_json: bool, must_answer: bool, **fields: Any
) -> None:
    secret = {name: fields.pop(name, "") for name in ("credential", "chatgpt_account_id")}
    fields = {name: value for name, value in with_proxy(fields).items() if value is not None}
    changes = AccountInput(KIND_RULES).load({"kind": kind, **fields})
    if must_answer:
        added, listing = operations(services).accounts.add_if_reachable(pool, changes, **secret)
    else:
        added = operations(services).accounts.add(pool, changes, **secret)
        listing = operations(services).accounts.fetch_listing(pool, added)
    for warning in account_warnings(added):
        click.echo(f"Warning: account '{added.name}': {warning}.", err=True)
    show_remarks(added)
    if as_json:
        show_json(added.public() | {"first_look": listing.public()})
    else:
        click.echo(f"Added {kind} account '{added.name}' ({added.id}) to pool '{pool}'.")
        show_first_listing(pool, added.name, listing)
        _show_simulated(services.accounts.all(pool), added)


def _show_simulated(accounts: Sequence[Account], added: Account) -> None:
    """Print whether the simulated ones of *accounts* still serve, if *added* is the first real account."""
    serving = "serves requests for its models until another account answers"
    unused = "gets no requests while an account that has answered is in use"
    real = [account for account in accounts if not kind_of(account).is_simulated]
    for account in accounts if real == [added] else ():
        if kind_of(account).is_simulated:
            role = serving if demo_serves(accounts) else unused
            click.echo(f"The simulated account '{account.name}' {role}.", err=True)


def show_remarks(added: Account) -> None:
    """Print the remarks about the addition of the account *added*."""
    for remark in added.remarks:
        click.echo(f"Note: account '{added.name}': {remark}.", err=True)


def show_first_listing(pool: str, name: str, listing: FirstListing) -> None:
    """Print the result of the first listing of an account of *pool*; failures go to standard error."""
    if listing.ok:
        click.echo(f"Account '{name}' is {listing.sentence()}.")
        return
    click.echo(f"Warning: account '{name}' does not answer yet: {listing.sentence()}", err=True)
    where = f"{name}{pool_option(pool)}"
    if listing.hint:
        remedy = f"A base URL cannot be changed: poolgate account remove {where}, then add it again."
    else:
        remedy = f"It stays in the pool and is retried automatically; see poolgate account test {where}."
    click.echo(remedy, err=True)
