"""`poolgate admin`: manage operators, sessions and admin tokens on the machine, also when locked out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from click.core import ParameterSource

from app.cli.admin_tokens import token_group
from app.cli.clock import moment
from app.cli.command import Group, example
from app.cli.gateways import pages_origin
from app.cli.listing import listing, show_table
from app.cli.options import actor, operator_operations, read_secret, with_store
from app.cli.output import report, show_json, show_list
from app.cli.prompts import is_terminal, type_secret
from app.durations import parse_duration
from app.errors import InvalidRequest
from app.formatting import counted
from app.operators.operators import FIRST_START, INVITATION
from app.stores.records.operators import Role, SignInPolicy, normalize_name
from app.wiring import Services

ROLE = click.Choice([role.value for role in Role])


@click.group("admin", cls=Group)
def admin_group() -> None:
    """Manage the operators of the admin pages, and tokens for scripts that call the admin API."""


def _password_options(run: Any) -> Any:
    run = click.option("--password-stdin", "from_stdin", is_flag=True, help="Read it from standard input.")(
        run
    )
    return click.option(
        "--password-env", "variable", metavar="NAME", help="Read it from this environment variable."
    )(run)


@admin_group.command("list", epilog=example("poolgate admin list"))
@listing
@with_store
def list_operators(services: Services, as_json: bool) -> None:
    """List operators."""
    operators = services.operator_stores.operators.all()
    if as_json:
        return show_list([operator.public() for operator in operators])
    heads = ("NAME", "ROLE", "SECOND FACTOR", "RECOVERY CODES", "LAST SIGN-IN", "BY", "SESSIONS")
    rows = [
        (
            operator.name,
            f"{operator.role} (suspended)" if operator.suspended else operator.role,
            "on" if operator.second_factor else "off",
            operator.recovery_codes,
            moment(operator.signed_in_at) if operator.signed_in_at else "never",
            ", ".join(operator.methods),
            len(services.operator_stores.sessions.all(operator.name)),
        )
        for operator in operators
    ]
    return show_table(heads, rows, "No operators yet: see poolgate admin invite --help")


@admin_group.command(
    "invite",
    epilog=example(
        "poolgate admin invite", "poolgate admin invite --role admin --expires 12h --label bea@example.com"
    ),
)
@click.option(
    "--role", type=ROLE, default=Role.VIEWER.value, show_default=True, help="The role of the new operator."
)
@click.option("--expires", default="3d", show_default=True, metavar="DURATION", help="From 1h to 30d.")
@click.option("--label", default="", metavar="TEXT", help="A note, such as an e-mail address.")
@with_store
def invite(services: Services, as_json: bool, role: str, expires: str, label: str) -> None:
    """
    Print a one-time link with which a person becomes an operator.

    Without operators, the link creates the first one, an owner; it is valid for a day, and replaces the link
    that `poolgate up` printed.
    """
    if not services.operator_stores.operators.exist():
        return _invite_first(services, as_json, _given_options())
    invitation, secret = operator_operations(services).invite(Role(role), parse_duration(expires), label)
    path = f"{INVITATION}?token={secret}"
    if as_json:
        return show_json({**invitation.public(), "token": secret, "path": path})
    return _print_link(services, f"For a new {role}, valid once, until {moment(invitation.expires_at)}", path)


def _given_options() -> list[str]:
    """Return the options of this command that were given although the first operator has none of them."""
    context = click.get_current_context()
    names = ("role", "expires", "label")
    return [
        f"--{name}" for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]


def _invite_first(services: Services, as_json: bool, ignored: Sequence[str]) -> None:
    token = services.operator_stores.operators.new_start_token()
    if token is None:
        raise InvalidRequest("The first operator was created meanwhile: run the command again")
    services.audit.note(actor(), "operator.invite", "", "")
    path = f"{FIRST_START}?token={token}"
    if as_json:
        return show_json({"token": token, "path": path})
    click.echo("There is no operator yet. The first one is an owner.", err=True)
    if ignored:
        click.echo(f"Warning: ignored for the first operator: {', '.join(ignored)}.", err=True)
    return _print_link(services, "For the first operator, valid once, for a day", path)


def _print_link(services: Services, purpose: str, path: str) -> None:
    """Print the link to the page *path*, and on standard error its *purpose*."""
    origin = pages_origin(services.settings)
    where = "" if origin else "; after the address of the gateway"
    click.echo(f"{purpose}{where}:", err=True)
    click.echo(f"{origin}{path}")


@admin_group.group("invitation", cls=Group)
def invitation_group() -> None:
    """Manage open invitations; `poolgate admin invite` creates one."""


@invitation_group.command("list", epilog=example("poolgate admin invitation list"))
@listing
@with_store
def list_invitations(services: Services, as_json: bool) -> None:
    """List open invitations. Their links are never shown again."""
    invitations = services.operator_stores.invitations.all()
    if as_json:
        return show_list([invitation.public() for invitation in invitations])
    rows = [
        (one.id, one.role, one.label, one.created_by, moment(one.created_at), moment(one.expires_at))
        for one in invitations
    ]
    heads = ("ID", "ROLE", "LABEL", "CREATED BY", "CREATED", "EXPIRES")
    return show_table(heads, rows, "No open invitations: see poolgate admin invite --help")


@invitation_group.command("revoke", epilog=example("poolgate admin invitation revoke 0123456789ab"))
@click.argument("id")
@with_store
def revoke_invitation(services: Services, as_json: bool, id: str) -> None:
    """Revoke the open invitation ID."""
    operator_operations(services).revoke_invitation(id)
    report(as_json, {"id": id, "revoked": True}, f"Revoked invitation {id}.")


@admin_group.command(
    "create", epilog=example("poolgate admin create ann", "poolgate admin create ann --password-env PASSWORD")
)
@click.argument("name")
@click.option(
    "--role",
    type=ROLE,
    default=Role.OWNER.value,
    show_default=True,
    help="viewer: read-only, without secrets; admin: everything but operators; owner: everything.",
)
@_password_options
@with_store
def create(
    services: Services, as_json: bool, name: str, role: str, variable: str | None, from_stdin: bool
) -> None:
    """Create the operator NAME, with a password of at least 12 characters."""
    password = _password(variable, from_stdin)
    created = operator_operations(services).create_operator(name, password, Role(role))
    report(as_json, created.public(), f"Created operator '{created.name}'.")


@admin_group.command("role", epilog=example("poolgate admin role ann viewer"))
@click.argument("name", type=normalize_name)
@click.argument("role", type=ROLE)
@with_store
def change_role(services: Services, as_json: bool, name: str, role: str) -> None:
    """Give the operator NAME another role, from their next request on. The last owner must stay an owner."""
    changed = operator_operations(services).set_role(name, Role(role))
    report(as_json, changed.public(), f"'{changed.name}' has the role {changed.role} now.")


@admin_group.command("password", epilog=example("poolgate admin password ann"))
@click.argument("name", type=normalize_name)
@_password_options
@with_store
def password(services: Services, as_json: bool, name: str, variable: str | None, from_stdin: bool) -> None:
    """Set a new password for NAME, end their sessions, and clear their failed attempts."""
    services.operator_stores.operators.find(name)
    ended = operator_operations(services).set_password(name, _password(variable, from_stdin))
    report(
        as_json,
        {"name": name, "sessions_ended": ended},
        f"Set a new password for '{name}'; ended {counted(ended, 'session')}.",
    )


@admin_group.command("totp-off", epilog=example("poolgate admin totp-off ann"))
@click.argument("name", type=normalize_name)
@with_store
def totp_off(services: Services, as_json: bool, name: str) -> None:
    """Turn off the second factor of NAME, who lost their authenticator app."""
    was_on = operator_operations(services).remove_second_factor(name)
    report(
        as_json,
        services.operator_stores.operators.find(name).public(),
        f"Turned off the second factor of '{name}'." if was_on else f"'{name}' has no second factor.",
    )


@admin_group.command(
    "policy", epilog=example("poolgate admin policy", "poolgate admin policy --second-factor required")
)
@click.option(
    "--second-factor",
    type=click.Choice(["required", "optional"]),
    help="For operators who sign in with a password; those without one must set it up first.",
)
@with_store
def policy(services: Services, as_json: bool, second_factor: str | None) -> None:
    """Show or change what is required of operators who sign in."""
    if second_factor:
        operator_operations(services).set_policy(SignInPolicy(second_factor == "required"))
    current = services.operator_stores.policy.current()
    state = "required" if current.second_factor_required else "optional"
    report(as_json, current.public(), f"A second factor is {state}.")


@admin_group.command("disconnect", epilog=example("poolgate admin disconnect ann"))
@click.argument("name", type=normalize_name)
@with_store
def disconnect(services: Services, as_json: bool, name: str) -> None:
    """Disconnect NAME, who must have a password, from single sign-on, and end the sessions begun by it."""
    ended = operator_operations(services).unlink(name)
    report(
        as_json,
        {"name": name, "sessions_ended": ended},
        f"Disconnected '{name}' from single sign-on; ended {counted(ended, 'session')}.",
    )


@admin_group.command("remove", epilog=example("poolgate admin remove ann"))
@click.argument("name", type=normalize_name)
@with_store
def remove(services: Services, as_json: bool, name: str) -> None:
    """Remove the operator NAME, their sessions and admin tokens. The last owner cannot be removed."""
    operator_operations(services).remove_operator(name)
    report(as_json, {"name": name, "removed": True}, f"Removed operator '{name}'.")


@admin_group.command("sessions", epilog=example("poolgate admin sessions ann"))
@click.argument("name", type=normalize_name)
@listing
@with_store
def sessions(services: Services, as_json: bool, name: str) -> None:
    """List the sessions of NAME."""
    services.operator_stores.operators.find(name)
    sessions_of_operator = services.operator_stores.sessions.all(name)
    if as_json:
        return show_list([session.public() for session in sessions_of_operator])
    rows = [
        (session.id, session.address, moment(session.opened_at), moment(session.seen_at), session.agent)
        for session in sessions_of_operator
    ]
    heads = ("ID", "ADDRESS", "SIGNED IN", "LAST USED", "BROWSER")
    return show_table(heads, rows, f"'{name}' has no sessions.")


@admin_group.command("sign-out", epilog=example("poolgate admin sign-out ann"))
@click.argument("name", type=normalize_name)
@click.option("--session", "session_id", default="", metavar="ID", help="Only this session.")
@with_store
def sign_out(services: Services, as_json: bool, name: str, session_id: str) -> None:
    """End the sessions of NAME immediately."""
    services.operator_stores.operators.find(name)
    changes = operator_operations(services)
    ended = int(changes.end_session(name, session_id)) if session_id else changes.end_sessions(name)
    report(
        as_json,
        {"name": name, "sessions_ended": ended},
        f"Ended {counted(ended, 'session')} of '{name}'.",
    )


def _password(variable: str | None, from_stdin: bool) -> str:
    if not variable and not from_stdin and is_terminal():
        return type_secret("Password", "Repeat the password")
    return read_secret("password", variable, from_stdin)


admin_group.add_command(token_group)
