"""`poolgate team`: teams of API keys, which share limits."""

from __future__ import annotations

import click

from app.cli import complete
from app.cli.command import Group, example
from app.cli.limit import limit_group, limits_option
from app.cli.listing import listing, show_table
from app.cli.options import in_pool, operations, with_store
from app.cli.output import limit_texts, report, show_json, show_list
from app.cli.prompts import confirm, yes_option
from app.cli.several import Changed, Switch, change_each, listed, names_argument
from app.limits.limit_syntax import format_limit, parse_limit, readable_limit
from app.operations.each import Unchanged
from app.presentation.limits import serialize_limit_status
from app.presentation.teams import keys_by_team
from app.stores.records.limits import Limit
from app.stores.records.teams import Team
from app.wiring import Services
from schemas.teams import TeamChange, TeamInput

HEADS = ("NAME", "STATE", "KEYS", "LIMITS", "LIMITS OF NEW KEYS")

team_argument = click.argument("name", shell_complete=complete.teams)
key_limits_option = limits_option(
    "--key-limit",
    "key_limits",
    "A limit that each new key of the team gets, unless it is created with --limit",
)


@click.group("team", cls=Group)
def team_group() -> None:
    """Manage teams: API keys that share limits. Changes take effect immediately."""


@team_group.command(
    "create",
    epilog=example(
        "poolgate team create research --limit '500 usd/month'",
        "poolgate team create interns --limit '50 usd/month' --key-limit '10 usd/month'",
    ),
)
@click.argument("name")
@limits_option("--limit", "limits", "A limit that the keys of the team share")
@key_limits_option
@in_pool
@with_store
def create_team(
    services: Services,
    as_json: bool,
    pool: str,
    name: str,
    limits: tuple[Limit, ...],
    key_limits: tuple[Limit, ...],
) -> None:
    """Create the team NAME. Keys join it by `key create --team` and `key set --team`."""
    fields = TeamInput().load({"name": name, "limits": _texts(limits), "key_limits": _texts(key_limits)})
    team = operations(services).teams.create(pool, fields)
    report(as_json, team.public(), f"Created team '{name}' in pool '{pool}'.")
    _warn(services, team)


@team_group.command("list", epilog=example("poolgate team list", "poolgate team list --json"))
@listing
@in_pool
@with_store
def list_teams(services: Services, as_json: bool, pool: str) -> None:
    """List teams, with the number of their keys."""
    services.pools.check(pool)
    teams, members = services.teams.all(pool), keys_by_team(services.api_keys.all(pool))
    if as_json:
        show_list([{**team.public(), "keys": members.get(team.name, [])} for team in teams])
        return
    rows = [_row(team, len(members.get(team.name, ()))) for team in teams]
    show_table(HEADS, rows, f"No teams in pool '{pool}' yet: see poolgate team create --help")


@team_group.command("show", epilog=example("poolgate team show research"))
@team_argument
@in_pool
@with_store
def show_team(services: Services, as_json: bool, pool: str, name: str) -> None:
    """Show the team NAME: its keys, and its limits with their usage."""
    team = services.teams.find(pool, name)
    statuses = services.ledger.usage.limit_statuses(pool, team.limits)
    members = keys_by_team(services.api_keys.all(pool)).get(name, [])
    if as_json:
        limits = [serialize_limit_status(status) for status in statuses]
        show_json({**team.public(), "limits": limits, "keys": members})
        return
    click.echo(f"Team '{name}' in pool '{pool}' is {team.state}.")
    click.echo(f"Keys: {', '.join(members) or 'none'}")
    click.echo(f"Limits of new keys: {limit_texts(map(parse_limit, team.key_limits))}")
    for status in statuses:
        used, remaining = map(
            status.limit.unit.rounded_amount, (status.settled + status.held, status.remaining)
        )
        click.echo(
            f"Limit {status.limit.id}: {readable_limit(status.limit)}, {used} used, {remaining} remaining"
        )


@team_group.command(
    "set",
    epilog=example(
        "poolgate team set research --key-limit '10 usd/month' --key-limit '5 parallel_requests'",
        "poolgate team set research interns --no-key-limits",
    ),
)
@names_argument(complete.teams)
@key_limits_option
@click.option("--no-key-limits", is_flag=True, help="Give new keys no limits of their own.")
@in_pool
@with_store
def set_team(
    services: Services,
    as_json: bool,
    pool: str,
    names: list[str],
    key_limits: tuple[Limit, ...],
    no_key_limits: bool,
) -> None:
    """Change the limits that new keys of one or more teams get. `team limit` changes a team's own limits."""
    if bool(key_limits) == no_key_limits:
        raise click.UsageError("Give one of --key-limit and --no-key-limits")
    changes = TeamChange().load({"key_limits": _texts(key_limits)})
    teams, changed = operations(services).teams, list[Team]()

    def change(name: str) -> Changed | Unchanged:
        before = services.teams.find(pool, name)
        team = teams.change(pool, name, changes)
        if team == before:
            return Unchanged(
                f"Team '{name}' in pool '{pool}' has these limits of new keys already.", team.public()
            )
        changed.append(team)
        return team.public(), f"Changed team '{name}' in pool '{pool}'."

    try:
        change_each("team", names, change, as_json=as_json)
    finally:
        for team in changed:
            _warn(services, team)


@team_group.command("disable", epilog=example("poolgate team disable research"))
@names_argument(complete.teams)
@in_pool
@with_store
def disable_teams(services: Services, as_json: bool, pool: str, names: list[str]) -> None:
    """Refuse the keys of one or more teams. Requests in progress continue."""
    find = services.teams.find
    Switch(
        "team",
        "Disabled",
        lambda name: "" if find(pool, name).is_active else "disabled",
        operations(services).teams.disable,
    ).each(pool, names, as_json=as_json)


@team_group.command("enable", epilog=example("poolgate team enable research"))
@names_argument(complete.teams)
@in_pool
@with_store
def enable_teams(services: Services, as_json: bool, pool: str, names: list[str]) -> None:
    """Accept the keys of one or more teams again."""
    find = services.teams.find
    Switch(
        "team",
        "Enabled",
        lambda name: "enabled" if find(pool, name).is_active else "",
        operations(services).teams.enable,
    ).each(pool, names, as_json=as_json)


@team_group.command("remove", epilog=example("poolgate team remove research"))
@names_argument(complete.teams)
@yes_option
@in_pool
@with_store
def remove_teams(services: Services, as_json: bool, pool: str, names: list[str], yes: bool) -> None:
    """Remove one or more teams, which must have no keys. Their usage stays in the ledger."""
    for name in names:
        services.teams.find(pool, name)
    confirm(f"Remove {listed('team', names)} from pool '{pool}'?", yes)

    def remove(name: str) -> Changed:
        operations(services).teams.remove(pool, name)
        return {"name": name, "deleted": True}, f"Removed team '{name}' from pool '{pool}'."

    change_each("team", names, remove, as_json=as_json)


def _warn(services: Services, team: Team) -> None:
    for warning in operations(services).teams.find_warnings(team.pool, team):
        click.echo(f"Warning: team '{team.name}': {warning}.", err=True)


def _texts(limits: tuple[Limit, ...]) -> list[str]:
    return [format_limit(limit) for limit in limits]


def _row(team: Team, members: int) -> tuple[object, ...]:
    of_keys = limit_texts(map(parse_limit, team.key_limits))
    return team.name, team.state, members, limit_texts(team.limits), of_keys


team_group.add_command(limit_group("team"))
