"""`poolgate account login`, `import` and `export`: ChatGPT sign-ins, which are refreshed automatically."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from app.accounts.kinds import SIGN_IN_KIND
from app.accounts.oauth_tokens import Tokens, tokens_from_auth_json
from app.cli import complete
from app.cli.account_add import show_first_listing, show_remarks
from app.cli.account_files import MAX_FILE_BYTES, export_all, import_files
from app.cli.command import Command, example
from app.cli.files import read_file
from app.cli.forms import WrongValue
from app.cli.oauth_sign_in import sign_in_with_browser, sign_in_with_code
from app.cli.options import in_pool, operations, with_store
from app.cli.output import REFUSED, show_json
from app.operations.account_import import ImportOutcome
from app.operations.account_rules import KIND_RULES
from app.stores.records.sign_in_flows import SignInMethod
from app.wiring import Services
from schemas.accounts import AccountInput

SINGLE_USE_NOTICE = (
    "Only one program may use this sign-in: a token refresh by one invalidates it for the others. "
    "Sign in again in Codex, or in any other program that uses it."
)

name_option = click.option(
    "--name", required=True, help="Account name. An existing account is signed in again."
)


@click.command(
    "login",
    cls=Command,
    epilog=example("poolgate account login --name ann", "poolgate account login --name ann --browser"),
)
@name_option
@click.option(
    "--device", "how", flag_value="device", default=True, help="Sign in with a code in any browser."
)
@click.option("--browser", "how", flag_value="browser", help="Sign in with a browser on this machine.")
@in_pool
@with_store
def login(services: Services, as_json: bool, pool: str, name: str, how: str) -> None:
    """Sign in to a ChatGPT account. Its tokens are stored encrypted and refreshed before they expire."""
    _check(services, pool, name)
    sign_in = sign_in_with_browser if how == "browser" else sign_in_with_code
    tokens = sign_in(services.upstream.oauth, lambda line: click.echo(line, err=True))
    _store(services, as_json, pool, name, tokens, SignInMethod(how))


@click.command(
    "import",
    cls=Command,
    epilog=example(
        "poolgate account import ~/.codex/auth.json --name ann",
        "poolgate account import ~/.cli-proxy-api codex-lb-export.json",
    ),
)
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True))
@click.option(
    "--name", help="Account name of the one sign-in in FILE; an existing account is signed in again."
)
@in_pool
@with_store
def import_account(
    services: Services, as_json: bool, pool: str, files: tuple[str, ...], name: str | None
) -> None:
    """
    Import the ChatGPT sign-ins, and API keys of OpenAI, in FILES; - reads standard input.

    FILES are Codex's auth.json, exports of codex-lb, sub2api and codex-switcher, files of CLIProxyAPI and
    OpenCode, the output of `account export --all`, or directories, of which each *.json is read. An account
    that already has the same sign-in is updated if the file is newer. One line reports each account; the
    status is 1 if one fails.
    """
    outcomes = Counter((ImportOutcome.IMPORTED,))
    if name is None:
        outcomes = import_files(services, as_json, pool, files)
    elif len(files) > 1:
        raise WrongValue("is for one FILE: without it, each account has its own name", param_hint="--name")
    else:
        _check(services, pool, name)
        tokens = tokens_from_auth_json(read_file(files[0], MAX_FILE_BYTES))
        _store(services, as_json, pool, name, tokens, SignInMethod.IMPORT)
    if outcomes[ImportOutcome.IMPORTED] or outcomes[ImportOutcome.UPDATED]:
        click.echo(SINGLE_USE_NOTICE, err=True)
    if outcomes[ImportOutcome.FAILED]:
        raise click.exceptions.Exit(REFUSED)


@click.command(
    "export",
    cls=Command,
    epilog=example("poolgate account export ann > auth.json", "poolgate account export --all sign-ins.json"),
)
@click.argument("name", required=False, shell_complete=complete.accounts)
@click.option(
    "--all",
    "all_file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Write every sign-in of the pool to the new FILE, which only you may read; - prints them.",
)
@in_pool
@with_store
def export_account(
    services: Services, as_json: bool, pool: str, name: str | None, all_file: Path | None
) -> None:
    """
    Print the sign-in of the account NAME as Codex's auth.json. It contains secrets.

    With --all, write all sign-ins for `poolgate account import`. API keys are in `poolgate backup`.
    """
    if (name is None) == (all_file is None):
        raise click.UsageError("Give one of NAME and --all FILE")
    if all_file is not None:
        export_all(services, as_json, pool, all_file)
    else:
        click.echo(operations(services).sign_ins.export_auth_json(pool, str(name)))
    click.echo(SINGLE_USE_NOTICE, err=True)


def _check(services: Services, pool: str, name: str) -> None:
    """Raise an error for a name that cannot be stored, before the sign-in starts."""
    AccountInput(KIND_RULES).load({"kind": SIGN_IN_KIND, "name": name})
    operations(services).sign_ins.find_account(pool, name)


def _store(
    services: Services, as_json: bool, pool: str, name: str, tokens: Tokens, way: SignInMethod
) -> None:
    stored = operations(services).sign_ins.sign_in(pool, name, tokens, way=way)
    show_remarks(stored)
    listing = operations(services).accounts.fetch_listing(pool, stored)
    if as_json:
        show_json(stored.public() | {"first_look": listing.public()})
    else:
        identity = ", ".join(filter(None, (tokens.email, tokens.plan)))
        click.echo(f"Signed in account '{name}' ({identity or stored.id}) in pool '{pool}'.")
        show_first_listing(pool, name, listing)
