"""Teams: API keys that share limits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.bulk import bulk_response
from app.admin.api.inputs import deleted_response, json_response, list_response
from app.admin.guard import operations
from app.admin.services import services
from app.operations.each import unless_equal
from app.presentation.teams import TeamViewJson, keys_by_team, team_views
from app.stores.records.teams import Team
from schemas.admin import Nothing
from schemas.bulk import TeamBulk
from schemas.teams import TeamChange, TeamInput

bp = Blueprint("teams", __name__, url_prefix="/teams")

TEAM_INPUT, TEAM_CHANGE, TEAM_BULK, NOTHING = TeamInput(), TeamChange(), TeamBulk(), Nothing()


@bp.get("")
def index() -> Response:
    """List teams by name, with their keys and the usage of their limits."""
    pool = inputs.pool()
    return list_response(_serialize(pool, services().teams.all(pool)))


@bp.post("")
def create() -> Response:
    """Create a team. Its keys share `limits`; new keys get `key_limits`. `warnings` are sentences."""
    team = operations().teams.create(inputs.pool(must_exist=False), inputs.body(TEAM_INPUT))
    return json_response(_with_warnings(team), 201)


@bp.post("/bulk")
def change_several() -> Response:
    """
    Change several teams, and return a result for each: a failure does not stop the others.

    `do` is `disable`, `enable`, `remove`, or `change` with `fields`, which are the same as for one team.
    """
    pool, sent = inputs.pool(), inputs.body(TEAM_BULK)
    teams, stored = operations().teams, partial(services().teams.find, pool)
    return bulk_response(
        sent,
        {
            "disable": unless_equal(stored, lambda name: teams.disable(pool, name)),
            "enable": unless_equal(stored, lambda name: teams.enable(pool, name)),
            "change": unless_equal(stored, lambda name: teams.change(pool, name, sent["fields"])),
            "remove": lambda name: teams.remove(pool, name),
        },
    )


@bp.get("/<name>")
def show(name: str) -> Response:
    """Get a team, with its keys and the usage of its limits."""
    return json_response(_serialize_team(services().teams.find(inputs.pool(), name)))


@bp.patch("/<name>")
def change(name: str) -> Response:
    """
    Change the limits that new keys of a team get. Its own limits are under `/teams/<name>/limits`.

    `warnings` in the response are sentences.
    """
    changes = inputs.body(TEAM_CHANGE)
    return json_response(_with_warnings(operations().teams.change(inputs.pool(), name, changes)))


@bp.delete("/<name>")
def remove(name: str) -> Response:
    """Remove a team that has no keys. Its usage stays in the ledger."""
    operations().teams.remove(inputs.pool(), name)
    return deleted_response(name)


@bp.post("/<name>/disable")
def disable(name: str) -> Response:
    """Refuse the keys of a team. Requests in progress continue."""
    inputs.body(NOTHING)
    return json_response(_serialize_team(operations().teams.disable(inputs.pool(), name)))


@bp.post("/<name>/enable")
def enable(name: str) -> Response:
    """Accept the keys of a disabled team again."""
    inputs.body(NOTHING)
    return json_response(_serialize_team(operations().teams.enable(inputs.pool(), name)))


def _serialize(pool: str, teams: Sequence[Team]) -> list[TeamViewJson]:
    app_services = services()
    members = keys_by_team(app_services.api_keys.all(pool))
    return [view.to_json() for view in team_views(app_services.ledger.usage, pool, teams, members)]


def _with_warnings(team: Team) -> dict[str, Any]:
    return {**_serialize_team(team), "warnings": operations().teams.find_warnings(team.pool, team)}


def _serialize_team(team: Team) -> TeamViewJson:
    return _serialize(team.pool, [team])[0]
