"""`poolgate alert`: webhooks, to which alerts are sent."""

from __future__ import annotations

from typing import Any

import click

from app.cli import complete
from app.cli.clock import moment, utc_option
from app.cli.command import Group, example
from app.cli.listing import listing, show_table
from app.cli.options import Decorator, in_pool, names_option, operations, read_secret, with_store
from app.cli.output import REFUSED, report, show_json, show_list
from app.cli.prompts import confirm, yes_option
from app.presentation.webhooks import WebhookView, webhook_settings, webhook_views
from app.wiring import Services
from schemas.bounds import MAX_REMINDER_HOURS
from schemas.webhooks import FORMATS, KINDS, WEBHOOK_CHANGE, WEBHOOK_INPUT

HEADS = ("NAME", "URL", "FORMAT", "ON", "SIGNED", "OPEN", "PENDING", "DELIVERED", "LATEST")
GIVEN = ("url", "format", "on", "secret", "private", "remind_hours")


@click.group("alert", cls=Group)
def alert_group() -> None:
    """Send alerts to webhooks, such as those of Slack. The background worker finds and sends them."""


_FIELDS: list[Decorator] = [
    click.option(
        "--url-env",
        metavar="VARIABLE",
        help="Read the URL from this environment variable, if it is a secret.",
    ),
    click.option("--format", type=click.Choice(FORMATS), help="Format of the messages. Default: json."),
    names_option("--on", f"What is sent, all by default, of {', '.join(KINDS)}"),
    click.option("--secret-env", metavar="VARIABLE", help="Sign messages with the secret in this variable."),
    click.option("--secret-stdin", is_flag=True, help="Sign messages with the secret on standard input."),
    click.option(
        "--private/--public",
        default=None,
        help="Whether the name of its host may resolve to a private address. Default: public.",
    ),
    click.option(
        "--remind-hours",
        type=click.IntRange(0, MAX_REMINDER_HOURS),
        metavar="HOURS",
        help="Repeat an alert that lasts after this many hours. 0: never. Default: 24.",
    ),
]


def _with_fields(run: Any) -> Any:
    for option in reversed(_FIELDS):
        run = option(run)
    return run


def _read_fields(url: str | None, options: dict[str, Any]) -> dict[str, Any]:
    url_variable, secret_variable = options.pop("url_env"), options.pop("secret_env")
    if url and url_variable:
        raise click.UsageError("Give the URL or --url-env, not both")
    secret = read_secret("secret", secret_variable, options.pop("secret_stdin"), required=False)
    given = options | {
        "url": read_secret("url", url_variable, False) if url_variable else url,
        "secret": secret or None,
    }
    return {name: given[name] for name in GIVEN if given.get(name) is not None}


@alert_group.command(
    "add",
    epilog=example(
        "poolgate alert add ops https://ops.example.com/poolgate --on account,pool,store",
        "poolgate alert add team --url-env SLACK_URL --format slack --on limit,errors",
    ),
)
@click.argument("name")
@click.argument("url", required=False)
@_with_fields
@in_pool
@with_store
def add_webhook(
    services: Services, as_json: bool, pool: str, name: str, url: str | None, **options: Any
) -> None:
    """
    Add the webhook NAME, to which alerts of a pool are sent as POST requests.

    Messages are signed. Without a secret, one is generated for the format json, and printed once.
    """
    fields = _read_fields(url, options)
    webhook = operations(services).webhooks.add(pool, WEBHOOK_INPUT.load({"name": name, **fields}))
    is_new = bool(webhook.secret) and "secret" not in fields
    shown = {**webhook_settings(webhook), **({"secret": webhook.secret} if is_new else {})}
    report(as_json, shown, f"Alerts of pool '{pool}' are sent to '{name}': try poolgate alert test {name}")
    if is_new and not as_json:
        click.echo(f"Messages are signed with this secret, which is not shown again: {webhook.secret}")


@alert_group.command(
    "set",
    epilog=example(
        "poolgate alert set ops --on account,pool", "poolgate alert set ops --secret-env NEW_SECRET"
    ),
)
@click.argument("name", shell_complete=complete.webhooks)
@click.option("--url", metavar="URL", help="URL to which alerts are sent.")
@_with_fields
@in_pool
@with_store
def set_webhook(
    services: Services, as_json: bool, pool: str, name: str, url: str | None, **options: Any
) -> None:
    """Change the webhook NAME. Settings without an option stay as they are."""
    services.pools.check(pool)
    fields = _read_fields(url, options)
    if not fields:
        raise click.UsageError("Nothing to change: give at least one option")
    webhook = operations(services).webhooks.change(pool, name, WEBHOOK_CHANGE.load(fields))
    report(as_json, webhook_settings(webhook), f"The webhook '{name}' was changed.")


@alert_group.command("list", epilog=example("poolgate alert list", "poolgate alert list --json"))
@utc_option
@listing
@in_pool
@with_store
def list_webhooks(services: Services, as_json: bool, pool: str) -> None:
    """List the webhooks of a pool, with the state of their deliveries."""
    services.pools.check(pool)
    views = webhook_views(services.alerting.alerts, pool, services.alerting.webhooks.all(pool))
    if as_json:
        show_list(views)
        return
    empty = f"No webhooks in pool '{pool}' yet: see poolgate alert add --help"
    show_table(HEADS, [_row(view) for view in views], empty)


def _row(view: WebhookView) -> tuple[object, ...]:
    latest = view["error"] or (moment(view["delivered_at"]) if view["delivered_at"] else "-")
    if not view["readable"]:
        latest = "encrypted with another key"
    signed = "yes" if view["signed"] else "no"
    counts = (view["open_alerts"], view["pending"], view["delivered"])
    return view["name"], view["url"], view["format"], ",".join(view["on"]), signed, *counts, latest


@alert_group.command("test", epilog=example("poolgate alert test ops"))
@click.argument("name", shell_complete=complete.webhooks)
@in_pool
@with_store
def test_webhook(services: Services, as_json: bool, pool: str, name: str) -> None:
    """Send a test message to the webhook NAME now. Status 1 unless it is accepted."""
    services.pools.check(pool)
    attempt = operations(services).webhooks.test(pool, name)
    if as_json:
        show_json({"name": name, "delivered": attempt.is_delivered, "error": attempt.error or None})
    elif attempt.is_delivered:
        click.echo(f"'{name}' accepted a test message (status {attempt.status}).")
    else:
        click.echo(f"'{name}' did not accept a test message: {attempt.error}", err=True)
    if not attempt.is_delivered:
        raise click.exceptions.Exit(REFUSED)


@alert_group.command("remove", epilog=example("poolgate alert remove ops"))
@click.argument("name", shell_complete=complete.webhooks)
@yes_option
@in_pool
@with_store
def remove_webhook(services: Services, as_json: bool, pool: str, name: str, yes: bool) -> None:
    """Remove the webhook NAME and its pending messages."""
    services.pools.check(pool)
    confirm(f"Remove the webhook '{name}'?", yes)
    operations(services).webhooks.remove(pool, name)
    report(as_json, {"name": name, "deleted": True}, f"The webhook '{name}' was removed.")
