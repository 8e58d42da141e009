"""`poolgate key`: API keys of callers."""

from __future__ import annotations

import time

import click

from app.cli import complete
from app.cli.clock import moment, utc_option
from app.cli.command import Group, LazyCommand, example
from app.cli.forms import Form
from app.cli.key_output import show_secret, warn
from app.cli.key_settings import create_key, set_key
from app.cli.limit import limit_group
from app.cli.listing import listing, show_table
from app.cli.options import in_pool, key_filters, operations, with_store
from app.cli.output import limit_texts, show_list
from app.cli.prompts import confirm, yes_option
from app.cli.several import Changed, Switch, change_each, listed, names_argument
from app.durations import parse_duration
from app.formatting import names_or_all, natural
from app.operations.key_warnings import rotation_warnings
from app.presentation.api_keys import KeyFilter, KeyView, label_texts
from app.stores.records.api_keys import KeyState
from app.wiring import Services
from schemas.key_labels import label_filters

HEADS = ("NAME", "TEAM", "OWNER", "STATE", "EXPIRES", "MODELS", "ACCOUNTS", "LIMITS", "LABELS")


@click.group("key", cls=Group)
def key_group() -> None:
    """Manage API keys, which callers present. Changes take effect immediately."""


@key_group.command(
    "list",
    epilog=example(
        "poolgate key list",
        "poolgate key list --pool team-b --json",
        "poolgate key list --team research --label env=prod --label tier",
    ),
)
@click.option("--team", metavar="TEAM", default="", shell_complete=complete.teams, help="Only of this team.")
@key_filters("with")
@utc_option
@listing
@in_pool
@with_store
def list_keys(
    services: Services, as_json: bool, pool: str, team: str, owner: str | None, labels: tuple[str, ...]
) -> None:
    """List API keys and their permissions. The keys themselves are never shown."""
    services.pools.check(pool)
    chosen = KeyFilter(team=team, owner=owner or "", labels=label_filters(list(labels)))
    api_keys = chosen.select(services.api_keys.all(pool))
    if as_json:
        show_list([key.public() for key in api_keys])
        return
    names, now = services.accounts.names_by_id(pool), time.time()
    rows = [_row(KeyView(key, names, now)) for key in sorted(api_keys, key=lambda key: natural(key.name))]
    empty = f"No keys in pool '{pool}' yet: see poolgate key create --help"
    show_table(HEADS, rows, empty if chosen == KeyFilter() else f"No key in pool '{pool}' matches.")


def _row(view: KeyView) -> tuple[object, ...]:
    key = view.key
    expires = moment(key.expires_at) if key.expires_at else "never"
    return (
        key.name,
        key.team or "-",
        key.owner or "-",
        view.state,
        expires,
        names_or_all(key.models),
        names_or_all(view.accounts),
        limit_texts(key.limits),
        ", ".join(label_texts(key)) or "-",
    )


def overlap(text: str) -> float:
    """Read `24h`, `1h30m`, `7d` or `90s` as seconds. Raises ValueError."""
    seconds = parse_duration(text.strip())
    if seconds is None:
        raise ValueError
    return seconds


OVERLAP = Form(overlap, "a duration such as 90s, 30m, 1h30m, 24h or 7d")


@key_group.command("rotate", epilog=example("poolgate key rotate ann --overlap 24h"))
@click.argument("name", shell_complete=complete.api_keys)
@click.option(
    "--overlap",
    type=OVERLAP,
    default="0s",
    metavar="TIME",
    help=f"How long the old secret stays valid: {OVERLAP}.",
)
@utc_option
@in_pool
@with_store
def rotate_key(services: Services, as_json: bool, pool: str, name: str, overlap: float) -> None:
    """
    Give the key NAME a new secret and print it. Its limits and usage continue.

    The old secret becomes invalid immediately, or after TIME. At most two secrets are valid at a time.
    """
    before = services.api_keys.find(pool, name)
    key, secret = operations(services).api_keys.rotate(pool, name, overlap)
    former = f"stays valid until {moment(key.former_until)}" if key.former_until else "is no longer valid"
    heading = f"Key '{name}' in pool '{pool}', shown only once; the old secret {former}:"
    show_secret(as_json, key, secret, heading)
    warn(name, rotation_warnings(before, time.time()))


@key_group.command("disable", epilog=example("poolgate key disable ann", "poolgate key disable ann bob"))
@names_argument(complete.api_keys)
@in_pool
@with_store
def disable_keys(services: Services, as_json: bool, pool: str, names: list[str]) -> None:
    """Disable one or more keys. Requests in progress continue."""
    find = services.api_keys.find
    Switch(
        "key",
        "Disabled",
        lambda name: "disabled" if find(pool, name).state is KeyState.DISABLED else "",
        operations(services).api_keys.disable,
    ).each(pool, names, as_json=as_json)


@key_group.command("enable", epilog=example("poolgate key enable ann", "poolgate key enable ann bob"))
@names_argument(complete.api_keys)
@in_pool
@with_store
def enable_keys(services: Services, as_json: bool, pool: str, names: list[str]) -> None:
    """Enable one or more keys again."""
    find = services.api_keys.find
    Switch(
        "key",
        "Enabled",
        lambda name: "" if find(pool, name).state is KeyState.DISABLED else "enabled",
        operations(services).api_keys.enable,
    ).each(pool, names, as_json=as_json)


@key_group.command("remove", epilog=example("poolgate key remove ann", "poolgate key remove ann bob --yes"))
@names_argument(complete.api_keys)
@yes_option
@in_pool
@with_store
def remove_keys(services: Services, as_json: bool, pool: str, names: list[str], yes: bool) -> None:
    """Remove one or more keys and their limits. Their usage stays in the ledger under their IDs."""
    for name in names:
        services.api_keys.find(pool, name)
    secrets = "Its secret" if len(names) == 1 else "Their secrets"
    confirm(f"Remove {listed('key', names)} from pool '{pool}'? {secrets} cannot be recovered.", yes)

    def remove(name: str) -> Changed:
        operations(services).api_keys.remove(pool, name)
        return {"name": name, "deleted": True}, f"Removed key '{name}' from pool '{pool}'."

    change_each("key", names, remove, as_json=as_json)


key_group.add_command(create_key)
key_group.add_command(set_key)
key_group.add_command(limit_group("key"))
key_group.add_command(
    LazyCommand(
        "show", "app.cli.show:show_key", "Show the key NAME: permissions, limits, and the usage of today."
    )
)
