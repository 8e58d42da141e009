"""`poolgate admin token`: tokens for scripts that call the admin API."""

from __future__ import annotations

import click

from app.cli.clock import moment
from app.cli.command import Group, example
from app.cli.listing import listing, show_table
from app.cli.options import operator_operations, with_store
from app.cli.output import report, show_json, show_list
from app.cli.times import expires_option
from app.stores.records.operators import TokenScope, normalize_name
from app.wiring import Services
from schemas.api_keys import AdminTokenInput


@click.group("token", cls=Group)
def token_group() -> None:
    """Manage admin tokens, which scripts send to /admin/api as 'Authorization: Bearer pgadm-…'."""


@token_group.command(
    "create", epilog=example("poolgate admin token create ci --scope read --expires 2027-01-01")
)
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in TokenScope]),
    default=TokenScope.FULL.value,
    show_default=True,
    help="read: read-only, without secrets; full: everything.",
)
@expires_option()
@with_store
def create_token(services: Services, as_json: bool, name: str, expires: str | None, scope: str) -> None:
    """
    Create an admin token and print it. It cannot be shown again: only its SHA-256 is stored.

    Only the token goes to standard output, everything else to standard error.
    """
    fields = AdminTokenInput().load({} if expires is None else {"expires": expires})
    token, secret = operator_operations(services).create_token(name, fields.get("expires"), TokenScope(scope))
    if as_json:
        return show_json({"token": secret, **token.public()})
    click.echo(f"Admin token '{token.name}', shown only once:", err=True)
    return click.echo(secret)


@token_group.command("list", epilog=example("poolgate admin token list"))
@listing
@with_store
def list_tokens(services: Services, as_json: bool) -> None:
    """List admin tokens. The tokens themselves are never shown."""
    tokens = services.operator_stores.admin_tokens.all()
    if as_json:
        return show_list([token.public() for token in tokens])
    rows = [
        (
            token.name,
            token.scope,
            token.created_by,
            moment(token.created_at),
            moment(token.expires_at) if token.expires_at else "never",
            moment(token.used_at) if token.used_at else "never",
        )
        for token in tokens
    ]
    heads = ("NAME", "SCOPE", "CREATED BY", "CREATED", "EXPIRES", "LAST USED")
    return show_table(heads, rows, "No admin tokens yet: see poolgate admin token create --help")


@token_group.command("revoke", epilog=example("poolgate admin token revoke ci"))
@click.argument("name", type=normalize_name)
@with_store
def revoke_token(services: Services, as_json: bool, name: str) -> None:
    """Revoke the admin token NAME."""
    operator_operations(services).revoke_token(name)
    report(as_json, {"name": name, "revoked": True}, f"Revoked admin token '{name}'.")
