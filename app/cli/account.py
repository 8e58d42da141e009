"""`poolgate account`: the upstream identities of a pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click

from app.accounts.account import Account, demo_serves
from app.accounts.kinds import KINDS, kind_of
from app.accounts.kinds.kind import Kind, Setup
from app.cli import complete
from app.cli.account_settings import REMOVING_OPTIONS, REQUEST_OPTIONS, Removals, with_proxy
from app.cli.clock import moment, utc_option
from app.cli.command import Group, LazyCommand, example
from app.cli.listing import listing, show_table
from app.cli.options import (
    Decorator,
    confirm,
    in_pool,
    names_option,
    operations,
    read_secret,
    with_store,
    yes_option,
)
from app.cli.output import REFUSED, amount, report, show_json, show_list
from app.cli.progress import waiting
from app.formatting import names_or_all, natural
from app.operations.account_check import SECONDS
from app.operations.account_rules import KIND_RULES
from app.operations.diagnostic import pool_option
from app.operations.first_listing import FirstListing
from app.presentation.accounts import AccountView, state_label, websocket_label
from app.wiring import Services
from schemas.accounts import STREAM_UPSTREAM, AccountInput

MAX_TEST_SECONDS = 600
HEADS = (
    *("NAME", "KIND", "STATE", "IN FLIGHT", "CAP", "WEIGHT", "GROUP"),
    *("ATTEMPTS", "FAILED", "RESCUED", "WEBSOCKET", "MODELS", "BASE URL"),
)
LAZY_COMMANDS = (
    (
        "show",
        "app.cli.show:show_account",
        "Show the account NAME: state, usage windows, settings, the usage of today and recent errors.",
    ),
    ("login", "app.cli.login:login", "Sign in to a ChatGPT account."),
    (
        "import",
        "app.cli.login:import_account",
        "Import the ChatGPT sign-ins, and API keys of OpenAI, in FILES; - reads standard input.",
    ),
    ("export", "app.cli.login:export_account", "Print the sign-in of the account NAME as Codex's auth.json."),
)
SPARE = ("WEIGHT", "GROUP", "RESCUED", "WEBSOCKET")  # columns left out on a narrow terminal


@click.group("account", cls=Group)
def account_group() -> None:
    """Manage accounts, the upstream identities of a pool. Changes take effect immediately."""


@account_group.group("add")
def add_group() -> None:
    """Add an account. Its key or token is read from a variable or standard input, never from an argument."""


# Options that can also be changed later; None means not given.
CHANGEABLE: list[Decorator] = [
    click.option("--cap", type=int, help="Maximum concurrent requests; 100 by default."),
    click.option("--weight", type=int, help="Relative share of the load; 1 by default."),
    click.option("--group", type=int, help="Under the policy `ordered`, lower groups are used first."),
    click.option(
        "--stream-upstream",
        type=click.Choice(STREAM_UPSTREAM),
        help="Whether its server streams responses: auto, always or never; "
        "pool [default]: as the pool's setting.",
    ),
    *REQUEST_OPTIONS,
]


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
        names_option("--models", "Models it may serve; all by default."),
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
    if as_json:
        show_json(added.public() | {"first_look": listing.public()})
    else:
        click.echo(f"Added {kind} account '{added.name}' ({added.id}) to pool '{pool}'.")
        show_first_listing(pool, added.name, listing)
        _show_simulated(services.accounts.all(pool), added)


def _show_simulated(accounts: Sequence[Account], added: Account) -> None:
    """Print for each simulated account of *accounts* whether it serves requests now that *added* exists."""
    serving = "serves requests for its models until another account answers"
    unused = "gets no requests while an account that has answered is in use"
    for account in accounts:
        if kind_of(account).is_simulated and account.id != added.id:
            role = serving if demo_serves(accounts) else unused
            click.echo(f"The simulated account '{account.name}' {role}.", err=True)


def show_first_listing(pool: str, name: str, listing: FirstListing) -> None:
    """Print the result of the first listing of an account of *pool*; failures go to standard error."""
    if listing.ok:
        click.echo(f"Account '{name}' is {listing.sentence()}.")
        return
    click.echo(f"Warning: account '{name}' does not answer yet: {listing.sentence()}", err=True)
    command = f"poolgate account test {name}{pool_option(pool)}"
    click.echo(f"It stays in the pool and is retried automatically; see {command}.", err=True)


@account_group.command("list", epilog=example("poolgate account list", "poolgate account list --json"))
@utc_option
@listing
@in_pool
@with_store
def list_accounts(services: Services, as_json: bool, pool: str) -> None:
    """
    List accounts with their state, load and settings.

    FAILED counts failures caused by the account, RESCUED those after which another account answered.
    On a terminal of less than 130 columns, WEIGHT, GROUP, RESCUED and WEBSOCKET are left out; --csv has them.
    """
    services.pools.check(pool)
    accounts = services.accounts.all(pool)
    if as_json:
        show_list([account.public() for account in accounts])
        return
    now = services.clock.now()
    rows = [_row(account, now) for account in sorted(accounts, key=lambda account: natural(account.name))]
    empty = f"No accounts in pool '{pool}' yet: see poolgate account add --help"
    show_table(HEADS, rows, empty, spare=SPARE)


def _row(account: Account, now: float) -> tuple[object, ...]:
    load = (account.in_flight, account.cap, account.weight, account.group)
    attempts = map(amount, (account.attempts, account.failed_attempts, account.rescues))
    return (
        account.name,
        account.kind,
        _state(account, now),
        *load,
        *attempts,
        websocket_label(account),
        names_or_all(account.served_models),
        account.base_url,
    )


def _state(account: Account, now: float) -> str:
    view = AccountView(account, now)
    until = f" until {moment(view.until)}" if view.until else ""
    return state_label(account.state) + until + (f" ({view.reason})" if view.reason else "")


def changeable_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that change an account to *command*."""
    for option in reversed([*CHANGEABLE, *REMOVING_OPTIONS]):
        command = option(command)
    return command


@account_group.command(
    "set",
    epilog=example(
        "poolgate account set main --cap 20 --weight 3",
        "poolgate account set main --api-key-env NEW_KEY",
        "poolgate account set gpu1 --stream-upstream never",
        "poolgate account set gpu1 --header X-Tenant=lab --header-env X-Token=GPU_TOKEN",
        "poolgate account set azure1 --map gpt-5=my-deployment --map gpt-5-mini=small",
        "poolgate account set main --websocket on",
        "poolgate account set gpu1 --drop reasoning_effort --set temperature=0.2",
        "poolgate account set gpu1 --timeout 300 --first-token-timeout 90",
        "poolgate account set gpu1 --ca-file lab-ca.pem",
        "poolgate account set gpu1 --proxy socks5h://10.0.0.9:1080",
        "poolgate account set gpu1 --auth-header api-key --remove-header X-Tenant",
    ),
)
@click.argument("name", shell_complete=complete.accounts)
@click.option(
    "--api-key-env", "variable", metavar="VAR", help="Environment variable that holds a new API key."
)
@click.option("--api-key-stdin", "from_stdin", is_flag=True, help="Read a new API key from standard input.")
@names_option("--models", "Models it may serve.")
@click.option("--all-models", is_flag=True, help="Allow every model.")
@changeable_options
@in_pool
@with_store
def set_account(
    services: Services,
    as_json: bool,
    pool: str,
    name: str,
    all_models: bool,
    variable: str | None,
    from_stdin: bool,
    **fields: Any,
) -> None:
    """
    Change the account NAME. Requests in progress continue.

    With a new API key, its server is queried for its models, and the result is printed.
    """
    if all_models and fields["models"] is not None:
        raise click.UsageError("Give one of --models and --all-models")
    removals = Removals(**{option: fields.pop(option) for option in Removals.__slots__})
    fields = {field: value for field, value in with_proxy(fields).items() if value is not None}
    fields |= {"models": []} if all_models else {}
    fields = removals.apply(fields, lambda: services.accounts.find_without_credential(pool, name).settings)
    credential = read_secret("api-key", variable, from_stdin, required=False)
    if not fields and not credential:
        raise click.UsageError("Nothing to change: give at least one option")
    changes = AccountInput().load(fields, partial=True)
    changed = operations(services).accounts.change(pool, name, changes, credential=credential)
    listing = operations(services).accounts.fetch_listing(pool, changed) if credential else None
    if as_json:
        show_json(changed.public() | ({"first_look": listing.public()} if listing else {}))
        return
    changed_fields = [*changes, *(["API key"] if credential else [])]
    click.echo(f"Changed account '{name}' in pool '{pool}': {', '.join(changed_fields)}.")
    if listing:
        show_first_listing(pool, name, listing)


@account_group.command("pause", epilog=example("poolgate account pause main"))
@click.argument("name", shell_complete=complete.accounts)
@in_pool
@with_store
def pause_account(services: Services, as_json: bool, pool: str, name: str) -> None:
    """Stop sending new requests to the account NAME. Requests in progress continue."""
    _report(as_json, pool, operations(services).accounts.pause(pool, name), "Paused")


@account_group.command("resume", epilog=example("poolgate account resume main"))
@click.argument("name", shell_complete=complete.accounts)
@in_pool
@with_store
def resume_account(services: Services, as_json: bool, pool: str, name: str) -> None:
    """Make the account NAME available again, whatever took it out of use."""
    _report(as_json, pool, operations(services).accounts.resume(pool, name), "Resumed")


@account_group.command("trust-lengths", epilog=example("poolgate account trust-lengths gpu1"))
@click.argument("name", shell_complete=complete.accounts)
@in_pool
@with_store
def trust_lengths(services: Services, as_json: bool, pool: str, name: str) -> None:
    """Trust the account NAME again after it billed more output than a request allowed."""
    _report(
        as_json,
        pool,
        operations(services).accounts.trust_lengths(pool, name),
        "Trusting the output lengths of",
    )


@account_group.command("forget-refused", epilog=example("poolgate account forget-refused gpu1"))
@click.argument("name", shell_complete=complete.accounts)
@in_pool
@with_store
def forget_refused(services: Services, as_json: bool, pool: str, name: str) -> None:
    """Send the account NAME again the fields that its server has refused. See poolgate doctor."""
    _report(as_json, pool, operations(services).accounts.forget_refused(pool, name), "Forgot the refusals of")


def _report(as_json: bool, pool: str, account: Account, done: str) -> None:
    report(as_json, account.public(), f"{done} account '{account.name}' in pool '{pool}'.")


@account_group.command("remove", epilog=example("poolgate account remove main"))
@click.argument("name", shell_complete=complete.accounts)
@click.option(
    "--force", is_flag=True, help="Remove it even if keys are restricted to it; their other accounts stay."
)
@yes_option
@in_pool
@with_store
def remove_account(services: Services, as_json: bool, pool: str, name: str, force: bool, yes: bool) -> None:
    """Remove the account NAME and its credential. Requests in progress continue."""
    services.accounts.find_without_credential(pool, name)
    confirm(f"Remove account '{name}' and its credential from pool '{pool}'?", yes)
    operations(services).accounts.remove(pool, name, although_bound=force)
    report(as_json, {"name": name, "deleted": True}, f"Removed account '{name}' from pool '{pool}'.")


@account_group.command(
    "test", epilog=example("poolgate account test main", "poolgate account test gpu1 --model llama-4")
)
@click.argument("name", shell_complete=complete.accounts)
@click.option(
    "--model", default="", metavar="MODEL", help="Model to request; the cheapest known one by default."
)
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(1, MAX_TEST_SECONDS),
    default=SECONDS,
    show_default=True,
    help="Seconds to wait for the response.",
)
@in_pool
@with_store
def test_account(services: Services, as_json: bool, pool: str, name: str, model: str, seconds: float) -> None:
    """Send a small request to the account NAME, whatever its state. Status 1 if it fails."""
    with waiting("Waiting for the upstream's response", seconds):
        result = operations(services).accounts.test(pool, name, model, seconds)
    if as_json:
        show_json(result.public())
    elif result.error is None:
        click.echo(
            f"Account '{name}' answers for {result.model}: "
            f"first byte after {result.first_ms} ms, end after {result.total_ms} ms"
        )
    else:
        fields = f"status {result.status}" if result.status else "no response"
        click.echo(
            f"Account '{name}' fails for {result.model}: {fields}, {result.error['message']}", err=True
        )
    if not result.ok:
        raise click.exceptions.Exit(REFUSED)


for lazy in LAZY_COMMANDS:
    account_group.add_command(LazyCommand(*lazy))
