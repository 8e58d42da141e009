"""`poolgate account set`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from app.accounts.request_settings import RequestSettings
from app.cli import complete
from app.cli.account_add import show_first_listing
from app.cli.account_settings import CHANGEABLE, with_proxy
from app.cli.command import Command, example
from app.cli.options import Decorator, in_pool, names_option, operations, read_secret, with_store
from app.cli.several import Changed, change_each, names_argument
from app.errors import InvalidRequest
from app.operations.account_warnings import account_warnings
from app.wiring import Services
from schemas.accounts import AccountInput


def _refuse_base_url(_context: click.Context, _option: click.Parameter, url: str | None) -> None:
    """Explain why there is no such setting, since accounts are added with one."""
    if url is not None:
        raise click.UsageError(
            "The base URL of an account cannot be changed, because its credential must not reach another "
            "server: remove the account, then add it again with the other URL"
        )


# of commands that change an account
base_url_refusal = click.option("--base-url", hidden=True, expose_value=False, callback=_refuse_base_url)

REMOVING_OPTIONS: list[Decorator] = [
    click.option(
        "--remove-header", "removed_headers", multiple=True, metavar="NAME", help="Remove a header again."
    ),
    click.option("--unmap", "unmapped", multiple=True, metavar="MODEL", help="Remove a name of --map again."),
    click.option(
        "--undrop", "undropped", multiple=True, metavar="FIELD", help="Send a field of --drop again."
    ),
    click.option("--unset", multiple=True, metavar="FIELD", help="No longer set a field of --set."),
    click.option(
        "--remove-ca-file",
        "removed_ca_file",
        is_flag=True,
        help="Verify its server with the usual authorities.",
    ),
]


@dataclass(frozen=True, slots=True)
class Removals:
    """The values of REMOVING_OPTIONS: the names of settings to remove or reset."""

    removed_headers: tuple[str, ...]
    unmapped: tuple[str, ...]
    undropped: tuple[str, ...]
    unset: tuple[str, ...]
    removed_ca_file: bool

    @property
    def given(self) -> bool:
        """Whether any of them was given."""
        return any(getattr(self, name) for name in self.__slots__)

    def _check_known(self, read_settings: Callable[[], RequestSettings]) -> None:
        """Raise InvalidRequest for a name that the account does not have."""
        names = {
            "--remove-header": (self.removed_headers, ("headers", "secret_headers")),
            "--unmap": (self.unmapped, ("model_names",)),
            "--undrop": (self.undropped, ("drop_fields",)),
            "--unset": (self.unset, ("set_fields",)),
        }
        if not any(removed for removed, _ in names.values()):
            return
        settings = read_settings()
        for option, (removed, fields) in names.items():
            stored = {name for each in fields for name in getattr(settings, each)}
            if "headers" in fields:  # names of headers ignore case
                stored |= {name for name in removed if name.lower() in {each.lower() for each in stored}}
            for name in removed:
                if name not in stored:
                    raise InvalidRequest(f"{option}: the account has no '{name[:64]}'")

    def apply(
        self, fields: Mapping[str, Any], read_settings: Callable[[], RequestSettings]
    ) -> dict[str, Any]:
        """Return *fields*, those of the other options, with the settings here removed or reset."""
        changed = dict(fields)
        self._check_known(read_settings)
        for name, removed in (
            ("headers", self.removed_headers),
            ("secret_headers", self.removed_headers),
            ("model_names", self.unmapped),
            ("set_fields", self.unset),
        ):
            if removed:
                changed[name] = dict.fromkeys(removed) | fields.get(name, {})
        if self.removed_ca_file:
            changed.setdefault("ca_certificates", "")
        if self.undropped or "drop_fields" in fields:  # the field is a list that replaces the stored one
            dropped = (*read_settings().drop_fields, *fields.get("drop_fields", ()))
            changed["drop_fields"] = [name for name in dropped if name not in self.undropped]
        return changed


def changeable_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that change an account to *command*."""
    for option in reversed([*CHANGEABLE, *REMOVING_OPTIONS]):
        command = option(command)
    return command


@click.command(
    "set",
    cls=Command,
    epilog=example(
        "poolgate account set main --cap 20 --weight 3",
        "poolgate account set gpu1 gpu2 --group 1",
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
@names_argument(complete.accounts)
@click.option(
    "--api-key-env", "variable", metavar="VAR", help="Environment variable that holds a new API key."
)
@click.option("--api-key-stdin", "from_stdin", is_flag=True, help="Read a new API key from standard input.")
@names_option("--models", "Models it may serve")
@click.option("--all-models", is_flag=True, help="Allow every model.")
@changeable_options
@base_url_refusal
@in_pool
@with_store
def set_account(
    services: Services,
    as_json: bool,
    pool: str,
    names: list[str],
    all_models: bool,
    variable: str | None,
    from_stdin: bool,
    **fields: Any,
) -> None:
    """
    Change one or more accounts. Requests in progress continue.

    With a new API key, the server is queried for its models, and the result is printed.
    """
    if all_models and fields["models"] is not None:
        raise click.UsageError("Give one of --models and --all-models")
    removals = Removals(**{option: fields.pop(option) for option in Removals.__slots__})
    given = {field: value for field, value in with_proxy(fields).items() if value is not None}
    given |= {"models": []} if all_models else {}
    credential = read_secret("api-key", variable, from_stdin, required=False)
    if not given and not credential and not removals.given:
        raise click.UsageError("Nothing to change: give at least one option")
    AccountInput().load(given, partial=True)  # an error in the values is raised before the first change
    accounts = operations(services).accounts

    def change(name: str) -> Changed:
        settings = services.accounts.find_without_credential(pool, name).settings
        changes = AccountInput().load(removals.apply(given, lambda: settings), partial=True)
        changed = accounts.change(pool, name, changes, credential=credential)
        listing = accounts.fetch_listing(pool, changed) if credential else None
        if listing and not as_json:
            show_first_listing(pool, name, listing)
        for warning in account_warnings(changed):
            click.echo(f"Warning: account '{name}': {warning}.", err=True)
        changed_fields = ", ".join([*changes, *(["API key"] if credential else [])])
        public = changed.public() | ({"first_look": listing.public()} if listing else {})
        return public, f"Changed account '{name}' in pool '{pool}': {changed_fields}."

    change_each("account", names, change, as_json=as_json)
