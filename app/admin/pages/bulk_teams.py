"""Changes of several teams at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import g

from app.admin.guard import operations
from app.admin.pages import choices, limit_rows
from app.admin.pages.bulk import Apply, BulkChange, BulkPage, add_limit, without_fields
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint
from app.admin.services import services
from app.formatting import natural
from app.limits.limit_syntax import format_limit
from app.operations.each import unless_equal
from app.presentation.teams import filter_teams
from schemas.bounds import MAX_LIMITS

bp = page_blueprint("bulk_teams", "/bulk/teams")


def _set_key_limits(form: Form) -> Apply:
    limits = limit_rows.read_limits(form, limit_rows.count_rows(form.typed))
    changes = {"key_limits": [format_limit(limit) for limit in limits]}
    return unless_equal(
        partial(services().teams.find, g.pool), lambda name: operations().teams.change(g.pool, name, changes)
    )


def _matching(query: Mapping[str, str]) -> list[str]:
    teams = filter_teams(services().teams.all(g.pool), query)
    return sorted((team.name for team in teams), key=natural)


CHANGES = {
    "disable": BulkChange(
        "Disable",
        "disabled",
        "All of their keys are refused from now on. Requests in progress continue.",
        without_fields(lambda all_of: all_of.teams.disable, lambda stores: stores.teams.find),
        True,
    ),
    "enable": BulkChange(
        "Enable",
        "enabled",
        "Their keys are accepted from now on.",
        without_fields(lambda all_of: all_of.teams.enable, lambda stores: stores.teams.find),
    ),
    "limit": BulkChange(
        "Add a limit",
        "changed",
        "The keys of each team share this limit. Usage since the start of its current window counts.",
        add_limit("team"),
    ),
    "key_limits": BulkChange(
        "Set limits of new keys",
        "changed",
        "New keys of these teams get these limits in place of the present ones; without any, they get none. "
        "Existing keys stay as they are.",
        _set_key_limits,
    ),
    "remove": BulkChange(
        "Remove",
        "removed",
        "Their limits are deleted; teams that have keys stay. Their usage stays in the ledger.",
        without_fields(lambda all_of: all_of.teams.remove),
        True,
    ),
}
PAGE = BulkPage(
    "team",
    "teams.show",
    "api_keys.show",
    CHANGES,
    "teams/bulk.html",
    limit_rows.row_fields(MAX_LIMITS),
    _matching,
    lambda form: {"models": choices.model_choices(), "rows": limit_rows.count_rows(form.typed)},
)


@bp.post("")
def change() -> Any:
    """Show the confirmation of a change of several teams; once it is confirmed, make the change."""
    return PAGE.respond(limit_rows.row_values())
