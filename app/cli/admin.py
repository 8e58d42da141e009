"""`poolgate admin`: who may sign in to the admin pages, from the machine itself, so also when locked out."""

from __future__ import annotations

import sys
from typing import Any

import click
from marshmallow import Schema

from app.cli.options import Group, actor, example, read_secret, with_store
from app.cli.output import moment, show_json, show_list, table
from app.errors import InvalidRequest
from app.operations.operators import OperatorOperations
from app.operators.admin_tokens import FULL, SCOPES
from app.operators.operators import normal
from app.wiring import Services
from schemas.api_keys import Expiry

_Wish = Schema.from_dict({"expires": Expiry()})
FIRST_START = "/admin/first-start"


@click.group("admin", cls=Group)
def admin_group() -> None:
    """Who may sign in to the admin pages, and tokens for scripts that call the admin API."""


@admin_group.group("token", cls=Group)
def token_group() -> None:
    """Admin tokens: what scripts send to /admin/api as 'Authorization: Bearer pgadm-…'."""


def _password_options(run: Any) -> Any:
    run = click.option("--password-stdin", "from_stdin", is_flag=True, help="Read it from standard input.")(
        run
    )
    return click.option("--password-env", "variable", metavar="NAME", help="Read it from this variable.")(run)


@admin_group.command("list", epilog=example("poolgate admin list"))
@with_store
def list_operators(services: Services, as_json: bool) -> None:
    """List who may sign in."""
    operators = services.operator_stores.operators.all()
    if as_json:
        return show_list([one.public() for one in operators])
    if not operators:
        return click.echo("Nobody may sign in yet: see poolgate admin invite --help", err=True)
    heads = ("NAME", "SECOND FACTOR", "RECOVERY CODES", "PASSWORD SET", "SESSIONS")
    rows = [
        (
            one.name,
            "on" if one.second_factor else "off",
            one.recovery_codes,
            moment(one.password_at),
            len(services.operator_stores.sessions.all(one.name)),
        )
        for one in operators
    ]
    return click.echo(table(heads, rows))


@admin_group.command("invite", epilog=example("poolgate admin invite"))
@with_store
def invite(services: Services, as_json: bool) -> None:
    """
    Print the token that lets the first person in, once, within a day.

    It replaces the one that `poolgate up` printed.
    """
    token = services.operator_stores.operators.start_token()
    if token is None:
        raise InvalidRequest("Somebody may sign in already: see poolgate admin create, or password")
    services.audit.note(actor(), "operator.invite", "", "")
    if as_json:
        return show_json({"token": token, "path": f"{FIRST_START}?token={token}"})
    click.echo(f"For {FIRST_START}, once, within a day:", err=True)
    return click.echo(token)


@admin_group.command(
    "create", epilog=example("poolgate admin create ann", "poolgate admin create ann --password-env PASSWORD")
)
@click.argument("name")
@_password_options
@with_store
def create(services: Services, as_json: bool, name: str, variable: str | None, from_stdin: bool) -> None:
    """Let NAME sign in, with a password of at least 12 characters."""
    made = _operator_operations(services).create_operator(name, _password(variable, from_stdin))
    _tell(as_json, made.public(), f"'{made.name}' may sign in.")


@admin_group.command("password", epilog=example("poolgate admin password ann"))
@click.argument("name", type=normal)
@_password_options
@with_store
def password(services: Services, as_json: bool, name: str, variable: str | None, from_stdin: bool) -> None:
    """Give NAME another password, end all sessions of theirs, and forget their failed attempts."""
    services.operator_stores.operators.find(name)
    ended = _operator_operations(services).set_password(name, _password(variable, from_stdin))
    _tell(
        as_json,
        {"name": name, "sessions_ended": ended},
        f"'{name}' has a new password; {ended} sessions were ended.",
    )


@admin_group.command("totp-off", epilog=example("poolgate admin totp-off ann"))
@click.argument("name", type=normal)
@with_store
def totp_off(services: Services, as_json: bool, name: str) -> None:
    """Let the password of NAME alone be enough: their authenticator app is lost."""
    _operator_operations(services).drop_second_factor(name)
    _tell(
        as_json, services.operator_stores.operators.find(name).public(), f"'{name}' signs in without a code."
    )


@admin_group.command("remove", epilog=example("poolgate admin remove ann"))
@click.argument("name", type=normal)
@with_store
def remove(services: Services, as_json: bool, name: str) -> None:
    """Let NAME sign in no more; their sessions and admin tokens end. The last operator stays."""
    _operator_operations(services).remove_operator(name)
    _tell(as_json, {"name": name, "removed": True}, f"'{name}' may sign in no more.")


@admin_group.command("sessions", epilog=example("poolgate admin sessions ann"))
@click.argument("name", type=normal)
@with_store
def sessions(services: Services, as_json: bool, name: str) -> None:
    """List where NAME is signed in."""
    services.operator_stores.operators.find(name)
    found = services.operator_stores.sessions.all(name)
    if as_json:
        return show_list([one.public() for one in found])
    if not found:
        return click.echo(f"'{name}' is signed in nowhere.", err=True)
    rows = [(one.id, one.address, moment(one.opened_at), moment(one.seen_at), one.agent) for one in found]
    return click.echo(table(("ID", "ADDRESS", "SIGNED IN", "LAST USED", "BROWSER"), rows))


@admin_group.command("sign-out", epilog=example("poolgate admin sign-out ann"))
@click.argument("name", type=normal)
@click.option("--session", "session_id", default="", metavar="ID", help="This one alone.")
@with_store
def sign_out(services: Services, as_json: bool, name: str, session_id: str) -> None:
    """End every session of NAME, at once and everywhere."""
    services.operator_stores.operators.find(name)
    operator_operations = _operator_operations(services)
    ended = (
        int(operator_operations.end_session(name, session_id))
        if session_id
        else operator_operations.end_sessions(name)
    )
    _tell(as_json, {"name": name, "sessions_ended": ended}, f"{ended} sessions of '{name}' were ended.")


@token_group.command(
    "create", epilog=example("poolgate admin token create ci --scope read --expires 2027-01-01")
)
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(SCOPES),
    default=FULL,
    show_default=True,
    help="read: what changes nothing and reveals no secret; full: everything.",
)
@click.option("--expires", metavar="DATE", help="From then on it is refused: 2027-01-01, or with a time.")
@with_store
def create_token(services: Services, as_json: bool, name: str, expires: str | None, scope: str) -> None:
    """
    Make an admin token and print it. It cannot be read again: only its SHA-256 is stored.

    The token stands alone on standard output, all else goes to standard error.
    """
    wish = _Wish().load({} if expires is None else {"expires": expires})
    token, secret = _operator_operations(services).create_token(name, wish.get("expires"), scope)
    if as_json:
        return show_json({"token": secret, **token.public()})
    click.echo(f"Admin token '{token.name}', shown this once:", err=True)
    return click.echo(secret)


@token_group.command("list", epilog=example("poolgate admin token list"))
@with_store
def list_tokens(services: Services, as_json: bool) -> None:
    """List admin tokens; never the tokens themselves."""
    tokens = services.operator_stores.tokens.all()
    if as_json:
        return show_list([one.public() for one in tokens])
    if not tokens:
        return click.echo("No admin tokens yet: see poolgate admin token create --help", err=True)
    rows = [
        (
            one.name,
            one.scope,
            one.created_by,
            moment(one.created_at),
            moment(one.expires_at) if one.expires_at else "never",
        )
        for one in tokens
    ]
    return click.echo(table(("NAME", "SCOPE", "MADE BY", "MADE", "EXPIRES"), rows))


@token_group.command("revoke", epilog=example("poolgate admin token revoke ci"))
@click.argument("name", type=normal)
@with_store
def revoke_token(services: Services, as_json: bool, name: str) -> None:
    """Refuse the admin token NAME from now on."""
    _operator_operations(services).revoke_token(name)
    _tell(as_json, {"name": name, "revoked": True}, f"Revoked admin token '{name}'.")


def _operator_operations(services: Services) -> OperatorOperations:
    return services.operator_operations(actor())


def _password(variable: str | None, from_stdin: bool) -> str:
    if not variable and not from_stdin and sys.stdin.isatty():
        typed: str = click.prompt("password", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    return read_secret("password", variable, from_stdin)


def _tell(as_json: bool, record: dict[str, Any], sentence: str) -> None:
    if as_json:
        show_json(record)
    else:
        click.echo(sentence)
