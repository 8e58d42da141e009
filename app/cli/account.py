"""`poolgate account`: the upstream identities of a pool."""

from __future__ import annotations

import click

from app.cli import complete
from app.cli.account_add import add_group
from app.cli.account_set import set_account
from app.cli.clock import until, utc_option
from app.cli.command import Group, LazyCommand, example
from app.cli.listing import listing, show_table
from app.cli.options import in_pool, operations, with_store
from app.cli.output import REFUSED, Wording, amount, show_json, show_list
from app.cli.progress import waiting
from app.cli.prompts import confirm, yes_option
from app.cli.several import Changed, Switch, change_each, listed, names_argument
from app.formatting import names_or_all, natural
from app.operations.account_check import SECONDS
from app.presentation.accounts import (
    AccountView,
    resumed_text,
    serialize_account,
    state_label,
    websocket_label,
)
from app.stores.records.accounts import AccountState
from app.wiring import Services

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

    FAILED counts failures caused by the account, RESCUED those after which another account answered
    with the same model: what a fallback model answers is not counted there.
    On a terminal of less than 130 columns, WEIGHT, GROUP, RESCUED and WEBSOCKET are left out; --csv has them.
    """
    services.pools.check(pool)
    accounts, now = services.accounts.all(pool), services.clock.now()
    rests = services.model_rests.all(pool, now)
    if as_json:
        show_list([serialize_account(account, now, rests.get(account.id, ())) for account in accounts])
        return
    views = [AccountView(account, now, rests.get(account.id, ())) for account in accounts]
    rows = [_row(view) for view in sorted(views, key=lambda view: natural(view.account.name))]
    empty = f"No accounts in pool '{pool}' yet: see poolgate account add --help"
    show_table(HEADS, rows, empty, spare=SPARE)


def _row(view: AccountView) -> tuple[object, ...]:
    account = view.account
    load = (account.in_flight, account.cap, account.weight, account.group)
    attempts = map(amount, (account.attempts, account.failed_attempts, account.rescues))
    return (
        account.name,
        account.kind,
        _state(view),
        *load,
        *attempts,
        websocket_label(account),
        names_or_all(account.served_models),
        account.base_url,
    )


def _state(view: AccountView) -> Wording:
    return until(state_label(view.state), view.until, f" ({view.reason})" if view.reason else "")


@account_group.command(
    "pause", epilog=example("poolgate account pause main", "poolgate account pause gpu1 gpu2")
)
@names_argument(complete.accounts)
@in_pool
@with_store
def pause_accounts(services: Services, as_json: bool, pool: str, names: list[str]) -> None:
    """Stop sending new requests to one or more accounts. Requests in progress continue."""
    find = services.accounts.find_without_credential
    Switch(
        "account",
        "Paused",
        lambda name: "paused" if find(pool, name).state is AccountState.PAUSED else "",
        operations(services).accounts.pause,
    ).each(pool, names, as_json=as_json)


@account_group.command(
    "resume", epilog=example("poolgate account resume main", "poolgate account resume gpu1 gpu2")
)
@names_argument(complete.accounts)
@in_pool
@with_store
def resume_accounts(services: Services, as_json: bool, pool: str, names: list[str]) -> None:
    """Make one or more accounts available again, whatever took them or their models out of use."""

    def resume(name: str) -> Changed:
        account, now = services.accounts.find_without_credential(pool, name), services.clock.now()
        before = AccountView(account, now, services.model_rests.of_account(pool, account.id, now))
        public = operations(services).accounts.resume(pool, name).public()
        return public, resumed_text(before, f"account '{name}' in pool '{pool}'")

    change_each("account", names, resume, as_json=as_json)


@account_group.command(
    "trust-lengths",
    epilog=example("poolgate account trust-lengths gpu1", "poolgate account trust-lengths gpu1 gpu2"),
)
@names_argument(complete.accounts)
@in_pool
@with_store
def trust_lengths(services: Services, as_json: bool, pool: str, names: list[str]) -> None:
    """Trust one or more accounts again after they billed more output than a request allowed."""
    find = services.accounts.find_without_credential
    Switch(
        "account",
        "Trusting the output lengths of",
        lambda name: "" if find(pool, name).exceeded else "trusted",
        operations(services).accounts.trust_lengths,
    ).each(pool, names, as_json=as_json)


@account_group.command(
    "forget-refused",
    epilog=example("poolgate account forget-refused gpu1", "poolgate account forget-refused gpu1 gpu2"),
)
@names_argument(complete.accounts)
@in_pool
@with_store
def forget_refused(services: Services, as_json: bool, pool: str, names: list[str]) -> None:
    """Send one or more accounts again the fields that their servers have refused. See poolgate doctor."""
    find = services.accounts.find_without_credential
    Switch(
        "account",
        "Forgot the refusals of",
        lambda name: "" if find(pool, name).refused else "sent all fields",
        operations(services).accounts.forget_refused,
    ).each(pool, names, as_json=as_json)


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
    accounts = operations(services).accounts
    for name in names:
        services.accounts.find_without_credential(pool, name)
    removable = accounts.find_removable(pool, names, although_bound=force)
    whose = f"account '{names[0]}': " if len(names) == 1 else ""
    for warning in accounts.find_removal_warnings(pool, removable):
        click.echo(f"Warning: {whose}{warning}.", err=True)
    if removable:  # each of the others has an error
        credentials = "its credential" if len(removable) == 1 else "their credentials"
        confirm(f"Remove {listed('account', removable)} and {credentials} from pool '{pool}'?", yes)

    def remove(name: str) -> Changed:
        accounts.remove(pool, name, although_bound=force)
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
account_group.add_command(set_account)
for lazy in LAZY_COMMANDS:
    account_group.add_command(LazyCommand(*lazy))
