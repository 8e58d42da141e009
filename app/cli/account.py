"""`poolgate account`: the upstream identities of a pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from app.accounts.account import Account
from app.cli import complete
from app.cli.account_add import add_group, show_first_listing
from app.cli.account_settings import CHANGEABLE, REMOVING_OPTIONS, Removals, base_url_refusal, with_proxy
from app.cli.clock import until, utc_option
from app.cli.command import Group, LazyCommand, example
from app.cli.listing import listing, show_table
from app.cli.options import confirm, in_pool, names_option, operations, read_secret, with_store, yes_option
from app.cli.output import REFUSED, Wording, amount, report, show_json, show_list
from app.cli.progress import waiting
from app.cli.several import Changed, change_each, listed, names_argument
from app.formatting import names_or_all, natural
from app.operations.account_check import SECONDS
from app.presentation.accounts import AccountView, state_label, websocket_label
from app.wiring import Services
from schemas.accounts import AccountInput

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


def _state(account: Account, now: float) -> Wording:
    view = AccountView(account, now)
    return until(state_label(view.state), view.until, f" ({view.reason})" if view.reason else "")


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
@base_url_refusal
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


@account_group.command(
    "pause", epilog=example("poolgate account pause main", "poolgate account pause gpu1 gpu2")
)
@names_argument(complete.accounts)
@in_pool
@with_store
def pause_accounts(services: Services, as_json: bool, pool: str, names: list[str]) -> None:
    """Stop sending new requests to one or more accounts. Requests in progress continue."""
    accounts = operations(services).accounts
    change_each(
        "account", names, lambda name: _changed(pool, accounts.pause(pool, name), "Paused"), as_json=as_json
    )


@account_group.command(
    "resume", epilog=example("poolgate account resume main", "poolgate account resume gpu1 gpu2")
)
@names_argument(complete.accounts)
@in_pool
@with_store
def resume_accounts(services: Services, as_json: bool, pool: str, names: list[str]) -> None:
    """Make one or more accounts available again, whatever took them out of use."""
    accounts = operations(services).accounts
    change_each(
        "account", names, lambda name: _changed(pool, accounts.resume(pool, name), "Resumed"), as_json=as_json
    )


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
    report(as_json, *_changed(pool, account, done))


def _changed(pool: str, account: Account, done: str) -> Changed:
    return account.public(), f"{done} account '{account.name}' in pool '{pool}'."


@account_group.command(
    "remove", epilog=example("poolgate account remove main", "poolgate account remove gpu1 gpu2 --yes")
)
@names_argument(complete.accounts)
@click.option(
    "--force", is_flag=True, help="Remove it even if keys are restricted to it; their other accounts stay."
)
@yes_option
@in_pool
@with_store
def remove_accounts(
    services: Services, as_json: bool, pool: str, names: list[str], force: bool, yes: bool
) -> None:
    """Remove one or more accounts and their credentials. Requests in progress continue."""
    for name in names:
        for warning in operations(services).accounts.find_removal_warnings(pool, name):
            click.echo(f"Warning: account '{name}': {warning}.", err=True)
    credentials = "its credential" if len(names) == 1 else "their credentials"
    confirm(f"Remove {listed('account', names)} and {credentials} from pool '{pool}'?", yes)

    def remove(name: str) -> Changed:
        operations(services).accounts.remove(pool, name, although_bound=force)
        return {"name": name, "deleted": True}, f"Removed account '{name}' from pool '{pool}'."

    change_each("account", names, remove, as_json=as_json)


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


account_group.add_command(add_group)
for lazy in LAZY_COMMANDS:
    account_group.add_command(LazyCommand(*lazy))
