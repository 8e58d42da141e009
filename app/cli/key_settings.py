"""`poolgate key create` and `set`: the settings of an API key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from app.cli import complete
from app.cli.command import Command, example
from app.cli.forms import Form, WrongValue
from app.cli.key_output import show_secret, warn
from app.cli.limit import limits_option
from app.cli.options import Decorator, in_pool, names_option, operations, with_store
from app.cli.several import Changed, change_each, names_argument
from app.cli.times import EXPIRY_OR_NEVER, NEVER, expires_option
from app.stores.records.api_keys import ApiKey, CutPolicy
from app.stores.records.limits import Limit
from app.wiring import Services
from schemas.api_keys import KeyChange, KeyInput
from schemas.bounds import parse_integer

ON_CUT = click.Choice([policy.value for policy in CutPolicy])

owner_option = click.option("--owner", metavar="TEXT", help="Who is responsible for it; '' for none.")


def _seconds_or_default(text: str) -> int | str:
    """Return *text* as whole seconds, `default` as it is. Raises ValueError."""
    seconds = text if text == "default" else parse_integer(text)
    if seconds is None:
        raise ValueError
    return seconds


QUEUE_SECONDS = Form(_seconds_or_default, "a whole number of seconds", "default, the pool's value")


def label(text: str) -> tuple[str, str]:
    """Read `env=prod` as (name, value). Raises ValueError."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError
    return name.strip(), value.strip()


LABEL = Form(label, "NAME=VALUE such as env=prod")
LABEL_OR_NONE = Form(label, *LABEL.forms, "NAME= to remove it")


def _labels_once(
    _context: click.Context, option: click.Parameter, labels: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    """Return *labels*. Raises WrongValue if a name is given twice."""
    names = [name for name, _ in labels]
    for name in names:
        if names.count(name) > 1:
            raise WrongValue(f"names '{name}' twice", param=option)
    return labels


def label_option(what: str, form: Form) -> Decorator:
    """Return the option `--label`, whose values have *form* and whose help begins with *what* they are."""
    return click.option(
        "--label",
        "labels",
        type=form,
        multiple=True,
        metavar="NAME=VALUE",
        callback=_labels_once,
        help=f"{what}: {form}. May be repeated.",
    )


@click.command(
    "create",
    cls=Command,
    epilog=example(
        "poolgate key create --name ann --limit '1000000 total_tokens/day' --expires 2027-01-01",
        "KEY=$(poolgate key create --name ci --models gpt-5-mini --limit '20 parallel_requests')",
        "poolgate key create --name bob --team research --owner bob@example.com --label env=prod",
        'poolgate key create --name eve --sha256 $(printf %s "$OLD_KEY" | sha256sum | cut -c -64)',
        "poolgate key create --name batch --queue-seconds 300",
    ),
)
@click.option("--name", required=True, help="1 to 64 letters, digits or . _ - @ +")
@names_option("--models", "Models it may use, all by default")
@names_option("--accounts", "Names of the accounts it may use, all by default", complete.accounts)
@limits_option(
    "--limit",
    "limits",
    "A limit of this key",
)
@click.option(
    "--on-cut",
    type=ON_CUT,
    help="When a stream breaks off: end with an error, or restart on another account.",
)
@click.option(
    "--output-tokens",
    type=int,
    metavar="N",
    help="Default maximum output of requests that set none; strict limits then reserve less.",
)
@click.option("--raw", is_flag=True, help="Allow responses to include the raw upstream request and response.")
@expires_option()
@click.option(
    "--queue-seconds",
    type=int,
    metavar="SECONDS",
    help="How long its requests wait for an account when all are busy; the pool's value by default.",
)
@click.option(
    "--weight",
    type=int,
    metavar="N",
    help="Its share of the tokens while requests wait [1]: a key with 3 gets three times as many.",
)
@click.option(
    "--team",
    metavar="TEAM",
    shell_complete=complete.teams,
    help="Its team, whose limits apply as well. Without --limit it gets the team's limits for new keys.",
)
@click.option(
    "--sha256",
    metavar="HEX",
    help="SHA-256 of a key that another gateway made, sk-… of 20 to 256 characters; in pool default only.",
)
@owner_option
@label_option("A label", LABEL)
@in_pool
@with_store
def create_key(
    services: Services,
    as_json: bool,
    pool: str,
    limits: tuple[Limit, ...],
    labels: tuple[tuple[str, str], ...],
    **fields: Any,
) -> None:
    """
    Create an API key and print it. It cannot be shown again: only its SHA-256 is stored.

    Only the key goes to standard output, everything else to standard error.
    """
    fields["labels"] = dict(labels) or None
    changes = KeyInput().load({name: value for name, value in fields.items() if value is not None})
    key, secret = operations(services).api_keys.create(pool, changes, limits or None)
    if secret or as_json:
        show_secret(as_json, key, secret, f"Key '{key.name}' in pool '{pool}', shown only once:")
    else:
        click.echo(f"Key '{key.name}' in pool '{pool}' is the one with this SHA-256.", err=True)
    warn(key.name, operations(services).api_keys.find_warnings(pool, key))


@click.command(
    "set",
    cls=Command,
    epilog=example(
        "poolgate key set ann --models gpt-5,gpt-5-mini --expires 2027-01-01",
        "poolgate key set ann --all-models --expires never --on-cut restart",
        "poolgate key set ann --team research --owner ann@example.com --label env=prod --label tier=",
        "poolgate key set ann --weight 3 --queue-seconds default",
        "poolgate key set ann bob --expires 2027-01-01",
    ),
)
@names_argument(complete.api_keys)
@names_option("--models", "Models it may use")
@click.option("--all-models", is_flag=True, help="Allow every model.")
@names_option("--accounts", "Names of the accounts it may use", complete.accounts)
@click.option("--all-accounts", is_flag=True, help="Allow every account.")
@click.option(
    "--on-cut",
    type=ON_CUT,
    help="What to do when a stream breaks off.",
)
@click.option(
    "--output-tokens", type=int, metavar="N", help="Default maximum output of requests that set none."
)
@click.option(
    "--raw/--no-raw",
    default=None,
    help="Whether responses may include the raw upstream request and response.",
)
@expires_option(EXPIRY_OR_NEVER)
@click.option(
    "--queue-seconds",
    type=QUEUE_SECONDS,
    metavar="SECONDS",
    help=f"How long its requests wait for an account when all are busy: {QUEUE_SECONDS}.",
)
@click.option("--weight", type=int, metavar="N", help="Its share of the tokens while requests wait.")
@click.option(
    "--team", metavar="TEAM", shell_complete=complete.teams, help="Its team, from its next request on."
)
@click.option("--no-team", is_flag=True, help="Take it out of its team.")
@owner_option
@label_option("A label to set; others stay", LABEL_OR_NONE)
@in_pool
@with_store
def set_key(
    services: Services,
    as_json: bool,
    pool: str,
    names: list[str],
    all_models: bool,
    all_accounts: bool,
    expires: str | None,
    no_team: bool,
    labels: tuple[tuple[str, str], ...],
    **fields: Any,
) -> None:
    """Change the permissions of one or more keys. Their limits are changed by `poolgate key limit`."""
    for field, every in (("models", all_models), ("accounts", all_accounts)):
        if every and fields[field] is not None:
            raise click.UsageError(f"Give one of --{field} and --all-{field}")
        fields[field] = [] if every else fields[field]
    fields = {field: value for field, value in fields.items() if value is not None}
    if expires is not None:
        fields["expires"] = None if expires == NEVER else expires
    if fields.get("queue_seconds") == "default":
        fields["queue_seconds"] = None
    if no_team:
        if "team" in fields:
            raise click.UsageError("Give one of --team and --no-team")
        fields["team"] = None
    if not fields and not labels:
        raise click.UsageError("Nothing to change: give at least one option")
    api_keys, changed_keys = operations(services).api_keys, list[ApiKey]()
    KeyChange().load(fields)  # an error that all keys have in common is raised before the first change

    def change(name: str) -> Changed:
        every = fields | _changed_labels(services.api_keys.find(pool, name), labels)
        key = api_keys.change(pool, name, KeyChange().load(every))
        changed_keys.append(key)
        return key.public(), f"Changed key '{name}' in pool '{pool}': {', '.join(every)}."

    try:
        change_each("key", names, change, as_json=as_json)
    finally:
        for key in changed_keys:
            warn(key.name, api_keys.find_warnings(pool, key))


def _changed_labels(key: ApiKey, labels: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the field `labels` of *key* after *labels* were set, {} without *labels*."""
    changed = {**dict(key.labels), **dict(labels)}
    return {"labels": {label: value for label, value in changed.items() if value}} if labels else {}
