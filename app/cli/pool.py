"""`poolgate pool`: list and change pools."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import click
import orjson

from app.accounts.pools import POLICIES, checked_zone
from app.accounts.settings import (
    CHOICES,
    EVERY_MODEL,
    TIME_LIMITS,
    with_choice,
    with_flag,
    with_number,
    with_time_limit,
)
from app.cli.command import Group, example
from app.cli.forms import Form
from app.cli.limit import limit_group
from app.cli.listing import listing, show_table
from app.cli.options import checked, in_pool, operations, pool_name, with_store
from app.cli.output import show_json, show_list
from app.operations.unlisted_models import unlisted_names
from app.wiring import Services
from schemas.bounds import POOL_NUMBERS, parse_number

FLAG_TEXTS = {  # of a flag that is off, and that is on
    "names_accounts": ("accounts are hidden from callers", "accounts are shown to callers"),
    "tells_windows": ("usage windows are hidden from callers", "usage windows are shown to callers"),
    "holders_rotate": ("holders may not rotate their keys", "holders may rotate their keys"),
}


@click.group("pool", cls=Group)
def pool_group() -> None:
    """Manage pools. Each has its own accounts, keys and limits; naming a new pool creates it."""


@pool_group.command("list", epilog=example("poolgate pool list"))
@click.option("--pool", type=pool_name, metavar="POOL", help="Only this pool.")
@listing
@with_store
def list_pools(services: Services, as_json: bool, pool: str | None) -> None:
    """List pools with their numbers of accounts and keys."""
    pools = services.pools.all()
    if pool is not None:
        services.pools.check(pool)
        pools = [pool_entry for pool_entry in pools if pool_entry.name == pool]
    if as_json:
        show_list([pool_entry.public() for pool_entry in pools])
        return
    rows = [(one.name, one.accounts, one.keys, one.policy, one.zone) for one in pools]
    total = ("TOTAL", sum(one.accounts for one in pools), sum(one.keys for one in pools), "", "")
    empty = "No pools yet: `poolgate account add` creates the first."
    show_table(("NAME", "ACCOUNTS", "KEYS", "POLICY", "TIME ZONE"), rows, empty, total)


ZONE = Form(checked(checked_zone), "an IANA name such as Asia/Tokyo")


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """A parsed `[MODEL:]name=seconds`; `seconds` is None for the default."""

    pattern: str
    name: str
    seconds: float | None

    def apply(self, settings: str) -> str:
        return with_time_limit(settings, self.pattern, self.name, self.seconds)


def time_limit(text: str) -> TimeLimit:
    """Read `idle=30` or `gpt-5*:idle=default`. Raises ValueError, click.BadParameter."""
    what, _, value = text.rpartition("=")
    pattern, _, name = what.rpartition(":")
    seconds = parse_number(value)
    if seconds is None and value != "default":
        raise ValueError
    parsed = TimeLimit(pattern or EVERY_MODEL, name, seconds)
    checked(parsed.apply)("")
    return parsed


TIME_LIMIT = Form(
    time_limit, "[MODEL:]NAME=SECONDS such as idle=30", "NAME=default, as in gpt-5*:idle=default"
)


@pool_group.command(
    "set",
    epilog=example(
        "poolgate pool set --zone Europe/Berlin --policy use_before_reset",
        "poolgate pool set --time-limit idle=30 --time-limit 'o3*:first_progress_reasoning=900'",
        "poolgate pool set --queue-seconds 60 --queue-length 500",
    ),
)
@click.option("--policy", type=click.Choice(POLICIES), help="How the next account is chosen.")
@click.option(
    "--zone",
    type=ZONE,
    metavar="ZONE",
    help=f"Time zone of its days, weeks and months: {ZONE}.",
)
@click.option(
    "--time-limit",
    "time_limits",
    type=TIME_LIMIT,
    metavar="[MODEL:]NAME=SECONDS",
    multiple=True,
    help=f"A time limit of upstream requests: {TIME_LIMIT}. May be repeated. NAME is one of "
    f"{', '.join(TIME_LIMITS)}.",
)
@click.option(
    "--show-accounts/--hide-accounts",
    "names_accounts",
    default=None,
    help="Whether a response header names the account that served the request.",
)
@click.option(
    "--show-windows/--hide-windows",
    "tells_windows",
    default=None,
    help="Whether callers see how much of its upstream windows the pool has used: in headers, in "
    "codex.rate_limits events, at /v1/usage and at /api/codex/usage.",
)
@click.option(
    "--holders-rotate/--no-holders-rotate",
    "holders_rotate",
    default=None,
    help="Whether the holders of keys may rotate them on their page, /my.",
)
@click.option(
    "--stream-upstream",
    type=click.Choice(CHOICES["stream_upstream"]),
    help="Whether upstreams are to stream responses: auto [default], where the caller or the gateway needs "
    "it; always; or never. Accounts may override it. A response that is not streamed may take longer.",
)
@click.option(
    "--keep-days",
    type=click.IntRange(*POOL_NUMBERS["keep_days"]),
    metavar="DAYS",
    help="Days to retain ledger entries [30]. Daily totals are retained for two years.",
)
@click.option(
    "--affinity-minutes",
    type=click.IntRange(*POOL_NUMBERS["affinity_minutes"]),
    metavar="MINUTES",
    help="How long a conversation stays on its account after its last turn [30]; 0 turns this off.",
)
@click.option(
    "--assumed-output-tokens",
    type=click.IntRange(*POOL_NUMBERS["assumed_output_tokens"]),
    metavar="TOKENS",
    help="Under strict limits, the output limit sent for models without a known maximum [8192]; 0: refuse.",
)
@click.option(
    "--assumed-context-tokens",
    type=click.IntRange(*POOL_NUMBERS["assumed_context_tokens"]),
    metavar="TOKENS",
    help="Under strict limits, the context window of a model without a price [131072].",
)
@click.option(
    "--queue-seconds",
    type=click.IntRange(*POOL_NUMBERS["queue_seconds"]),
    metavar="SECONDS",
    help="How long a request waits for an account when all are busy [10]; 0: it is refused at once.",
)
@click.option(
    "--queue-length",
    type=click.IntRange(*POOL_NUMBERS["queue_length"]),
    metavar="N",
    help="How many requests may wait at a time [256].",
)
@in_pool
@with_store
def set_pool(
    services: Services,
    as_json: bool,
    pool: str,
    policy: str | None,
    zone: str | None,
    time_limits: tuple[TimeLimit, ...],
    names_accounts: bool | None,
    tells_windows: bool | None,
    holders_rotate: bool | None,
    stream_upstream: str | None,
    **numbers: int | None,
) -> None:
    """Change the settings of a pool, from the next request."""
    flags = {
        "names_accounts": names_accounts,
        "tells_windows": tells_windows,
        "holders_rotate": holders_rotate,
    }
    if {policy, zone, stream_upstream, *flags.values(), *numbers.values()} == {None} and not time_limits:
        raise click.UsageError("Nothing to change: give at least one option")
    steps = [limit.apply for limit in time_limits]
    steps += [partial(with_flag, name=name, value=flag) for name, flag in flags.items() if flag is not None]
    if stream_upstream is not None:
        steps.append(partial(with_choice, name="stream_upstream", value=stream_upstream))
    steps += [partial(with_number, name=name, value=n) for name, n in numbers.items() if n is not None]
    changed = operations(services).pools.change(pool, policy=policy, zone=zone, steps=steps).public()
    limits = changed["settings"].get("time_limits", {})
    patterns = [pattern for pattern, values in limits.items() if any(values.values()) and pattern != "*"]
    unlisted = unlisted_names(patterns, services.accounts.all(pool), services.routes.current(pool))
    if unlisted and time_limits:
        click.echo(f"Warning: a time limit may apply to nothing: {unlisted.sentence()}.", err=True)
    if as_json:
        show_json(changed)
    else:
        now = {"policy": changed["policy"], "time zone": changed["zone"], **changed["settings"]}
        click.echo(f"Pool '{pool}': " + "; ".join(_text(name, value) for name, value in now.items()))


def _text(name: str, value: object) -> str:
    if name in FLAG_TEXTS:
        return FLAG_TEXTS[name][bool(value)]
    return f"{name} {value if isinstance(value, str) else orjson.dumps(value).decode()}"


pool_group.add_command(limit_group("pool"))
