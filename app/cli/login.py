"""`poolgate account login`, `import` and `export`: ChatGPT sign-ins, which are refreshed automatically."""

from __future__ import annotations

import click

from app.accounts.kinds import SIGN_IN_KIND
from app.accounts.oauth_tokens import Tokens, tokens_from_auth_json
from app.cli import complete
from app.cli.account import show_first_listing
from app.cli.files import read_file
from app.cli.oauth_sign_in import sign_in_with_browser, sign_in_with_code
from app.cli.options import Command, example, in_pool, operations, with_store
from app.cli.output import show_json
from app.operations.account_rules import KIND_RULES
from app.stores.records.sign_in_flows import SignInMethod
from app.wiring import Services
from schemas.accounts import AccountInput

MAX_FILE_BYTES = 1024 * 1024
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


@click.command("import", cls=Command, epilog=example("poolgate account import ~/.codex/auth.json --name ann"))
@click.argument("file", type=click.Path(exists=True, allow_dash=True))
@name_option
@in_pool
@with_store
def import_account(services: Services, as_json: bool, pool: str, name: str, file: str) -> None:
    """Import the ChatGPT sign-in in FILE, Codex's auth.json; - reads standard input."""
    _check(services, pool, name)
    tokens = tokens_from_auth_json(read_file(file, MAX_FILE_BYTES))
    _store(services, as_json, pool, name, tokens, SignInMethod.IMPORT)
    click.echo(SINGLE_USE_NOTICE, err=True)


@click.command("export", cls=Command, epilog=example("poolgate account export ann > auth.json"))
@click.argument("name", shell_complete=complete.accounts)
@in_pool
@with_store
def export_account(services: Services, as_json: bool, pool: str, name: str) -> None:
    """Print the sign-in of the account NAME as Codex's auth.json. It contains secrets."""
    click.echo(operations(services).sign_ins.export_auth_json(pool, name))
    click.echo(SINGLE_USE_NOTICE, err=True)


def _check(services: Services, pool: str, name: str) -> None:
    """Raise for a name that cannot be stored, before the sign-in starts."""
    AccountInput(KIND_RULES).load({"kind": SIGN_IN_KIND, "name": name})
    operations(services).sign_ins.find_account(pool, name)


def _store(
    services: Services, as_json: bool, pool: str, name: str, tokens: Tokens, way: SignInMethod
) -> None:
    stored = operations(services).sign_ins.sign_in(pool, name, tokens, way=way)
    listing = operations(services).accounts.fetch_listing(pool, stored)
    if as_json:
        show_json(stored.public() | {"first_look": listing.public()})
    else:
        identity = ", ".join(filter(None, (tokens.email, tokens.plan)))
        click.echo(f"Signed in account '{name}' ({identity or stored.id}) in pool '{pool}'.")
        show_first_listing(pool, name, listing)
