"""`poolgate key limit`, `poolgate team limit` and `poolgate pool limit`: usage limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import click

from app.cli import complete
from app.cli.clock import moment, utc_option
from app.cli.command import Group, example
from app.cli.forms import Form
from app.cli.listing import listing, show_table
from app.cli.options import Decorator, checked, in_pool, operations, with_store
from app.cli.output import Figure, limit_texts, report, show_list
from app.cli.several import Changed, change_each, names_argument
from app.formatting import MICRO_DOLLARS
from app.limits.limit_syntax import LIMIT_EXAMPLES, parse_limit, readable_limit
from app.operations.each import Unchanged
from app.operations.limits import was_there
from app.presentation.limits import serialize_limit_status
from app.stores.limits import FOR_POOL, for_team
from app.stores.records.limits import Limit, LimitMode, LimitStatus
from app.wiring import Services

OWNERS = {
    "key": "the API key KEY",
    "team": "the team TEAM, shared by its keys",
    "pool": "a pool, shared by all of its keys",
}
HEADS = ("ID", "LIMIT", "USED", "RESERVED", "REMAINING", "RESETS")

OWNER_ARGUMENTS = {
    "key": click.argument("key", metavar="KEY", shell_complete=complete.api_keys),
    "team": click.argument("team", metavar="TEAM", shell_complete=complete.teams),
}
COMPLETE = {"key": complete.api_keys, "team": complete.teams}
OWNER_EXAMPLES = {"key": " ann", "team": " research", "pool": ""}
limit_argument = click.argument("text", metavar="LIMIT")
id_argument = click.argument("limit_id", metavar="ID")
model_option = click.option(
    "--model", metavar="MODEL", help="Only for this model, or for a pattern such as 'gpt-5*'."
)
mode_option = click.option(
    "--mode",
    type=click.Choice([mode.value for mode in LimitMode]),
    default=LimitMode.STRICT.value,
    show_default=True,
    help="strict refuses requests that are not certain to fit; balanced uses an estimate.",
)


class _LimitCommands:
    """The commands for the limits of a `key` or `team`, which is their first argument, or of the `pool`."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self.group = Group(
            "limit", help=f"Manage limits of {OWNERS[owner]}. Changes take effect immediately."
        )

    def register(self, name: str, arguments: str, run: Callable[..., None], *options: Decorator) -> None:
        """
        Make *run*, which takes services, as_json, pool, key, team and the values of *options*, a command.
        """
        example_line = f"poolgate {self._owner} limit {name}{OWNER_EXAMPLES[self._owner]} {arguments}"

        def owned(
            services: Services, pool: str, key: str | None = None, team: str | None = None, **fields: Any
        ) -> None:
            services.pools.check(pool)
            run(services, pool=pool, key=key, team=team, **fields)

        owned.__doc__ = run.__doc__
        created = in_pool(with_store(owned))
        for option in reversed(options):
            created = option(created)
        if self._owner in OWNER_ARGUMENTS:
            created = OWNER_ARGUMENTS[self._owner](created)
        self.group.command(name, epilog=example(example_line.strip()))(created)

    def register_add(self, *options: Decorator) -> None:
        """Make `_add` a command, which takes one or more keys or teams."""
        owner = self._owner

        def add(
            services: Services, as_json: bool, pool: str, names: Sequence[str] = ("",), **fields: Any
        ) -> None:
            services.pools.check(pool)
            _add(services, as_json, pool, owner, names, **fields)

        add.__doc__ = _add.__doc__
        created = in_pool(with_store(add))
        for option in reversed(options):
            created = option(created)
        examples = [f"poolgate {owner} limit add{OWNER_EXAMPLES[owner]} '1000000 total_tokens/day'"]
        if owner in COMPLETE:
            created = names_argument(COMPLETE[owner], f"{owner.upper()}...")(created)
            examples.append(f"poolgate {owner} limit add{OWNER_EXAMPLES[owner]} other '5 usd/month'")
        self.group.command("add", epilog=example(*examples))(created)


LIMIT = Form(checked(parse_limit), f"such as {LIMIT_EXAMPLES}")


def limits_option(option: str, name: str, what: str) -> Decorator:
    """Return an *option* that takes limits, as the parameter *name*; *what* they are begins its help."""
    return click.option(
        option,
        name,
        type=LIMIT,
        metavar="LIMIT",
        multiple=True,
        help=f"{what}: {LIMIT}. May be repeated.",
    )


def limit_group(owner: str) -> click.Group:
    """Return the commands for the limits of an *owner*: `key`, `team` or `pool`."""
    commands = _LimitCommands(owner)
    change = (limit_argument, model_option, mode_option)
    commands.register_add(*change)
    commands.register("list", "", _list, utc_option, listing)
    commands.register("set", "lim_1a2b3c '2000000 total_tokens/day'", _set, id_argument, *change)
    commands.register("remove", "lim_1a2b3c", _remove, id_argument)
    return commands.group


def _add(
    services: Services, as_json: bool, pool: str, owner: str, names: Sequence[str], **fields: Any
) -> None:
    """
    Add a LIMIT such as '5 usd/month', '10 requests/minute for gpt-5*' or '20 parallel_requests'.

    Usage since the start of its current window counts.
    """
    limits = operations(services).limits
    added: dict[str, Limit] = {}

    def change(name: str) -> Changed | Unchanged:
        key, team = (name if owner == each else None for each in ("key", "team"))
        read = _read_limit(**fields)
        limit = limits.add(pool, read, key, team=team)
        whose = f" to {owner} '{name}'" if len(names) > 1 else ""
        public = {**limit.to_json(), **({owner: name} if whose else {})}
        if was_there(read, limit):
            has = f"{owner.capitalize()} '{name or pool}' has this limit already"
            return Unchanged(f"{has}, {limit.id}: {readable_limit(limit)}", public)
        added[name] = limit
        return public, f"Added {limit.id}{whose}: {readable_limit(limit)}"

    _read_limit(**fields)  # an error in it is raised before the first change
    try:
        change_each(owner, names, change, as_json=as_json)
    finally:
        for name, limit in added.items():
            key, team = (name if owner == each else None for each in ("key", "team"))
            _warn(services, pool, limit, key, team, whose=f"{owner} '{name}': " if len(names) > 1 else "")


def _list(services: Services, as_json: bool, pool: str, key: str | None, team: str | None) -> None:
    """List limits with their IDs, usage, and the amounts reserved by running requests."""
    owner = _owner(services, pool, key, team)
    statuses = services.ledger.usage.limit_statuses(pool, services.limits.all(pool, owner))
    if as_json:
        show_list([serialize_limit_status(status) for status in statuses])
    else:
        show_table(HEADS, [_row(status) for status in statuses], "No limits.")


def _set(
    services: Services,
    as_json: bool,
    pool: str,
    key: str | None,
    team: str | None,
    limit_id: str,
    **fields: Any,
) -> None:
    """Change the amount or mode of the limit ID. Its counted usage stays."""
    changed = operations(services).limits.change(pool, limit_id, _read_limit(**fields), key, team=team)
    _report("Set", changed, as_json)
    _warn(services, pool, changed, key, team)


def _remove(
    services: Services, as_json: bool, pool: str, key: str | None, team: str | None, limit_id: str
) -> None:
    """Remove the limit ID and its counted usage."""
    operations(services).limits.remove(pool, limit_id, key, team=team)
    report(as_json, {"id": limit_id, "removed": True}, f"Removed {limit_id}.")


def _warn(
    services: Services, pool: str, limit: Limit, key: str | None, team: str | None, *, whose: str = ""
) -> None:
    """Print what is probably a mistake in *limit*, which was just added or changed, after *whose* it is."""
    for warning in operations(services).limits.find_warnings(pool, limit, key, team=team):
        click.echo(f"Warning: {whose}{warning}.", err=True)


def _owner(services: Services, pool: str, key: str | None, team: str | None) -> str:
    """Return the owner's id as `LimitRepository` takes it."""
    if team is not None:
        return for_team(services.teams.find(pool, team).name)
    return FOR_POOL if key is None else services.api_keys.find(pool, key).id


def _row(status: LimitStatus) -> tuple[object, ...]:
    limit, numbers = status.limit, (status.settled, status.held, status.remaining)
    amounts = [
        Figure(
            limit.unit.rounded_amount(number),
            Decimal(number) / MICRO_DOLLARS if limit.unit.is_money else number,
        )
        for number in numbers
    ]
    resets = moment(status.resets_at) if status.resets_at else "never"
    return limit.id, limit_texts([limit]), *amounts, resets


def _read_limit(text: str, model: str | None, mode: str) -> Limit:
    return checked(partial(parse_limit, model=model, mode=mode))(text)


def _report(done: str, limit: Limit, as_json: bool) -> None:
    report(as_json, limit.to_json(), f"{done} {limit.id}: {readable_limit(limit)}")
