"""Changes of several keys at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g

from app.admin.guard import operations
from app.admin.pages import choices, key_filters, limit_rows
from app.admin.pages.bulk import Apply, BulkChange, BulkPage, add_limit, without_fields
from app.admin.pages.forms import Form
from app.admin.pages.key_expiry import EXPIRIES, read_expiry
from app.admin.pages.layout import page_blueprint
from app.admin.services import services
from app.errors import InvalidRequest
from app.formatting import natural
from app.suggestions import suggestion
from schemas.key_labels import MAX_LABELS, NAME, NAME_ERROR, value_error

bp = page_blueprint("bulk_keys", "/bulk/keys")


def _set_team(form: Form) -> Apply:
    team = form["team"].strip()
    teams = choices.team_choices()
    if team and team not in teams:
        form.add_error("team", f"There is no team named '{team[:64]}'{suggestion(team, teams)}")
    return lambda name: operations().api_keys.change(g.pool, name, {"team": team or None})


def _set_label(form: Form) -> Apply:
    label, value = form["label_1_name"].strip(), form["label_1_value"].strip()
    if NAME.match(label) is None:
        form.add_error("label_1_name", NAME_ERROR)
    elif value and (error := value_error(value)):
        form.add_error("label_1_value", error)

    def apply(name: str) -> object:
        labels = dict(services().api_keys.find(g.pool, name).labels)
        labels.pop(label, None)
        if value:
            labels[label] = value
        if len(labels) > MAX_LABELS:
            raise InvalidRequest(f"a key has at most {MAX_LABELS} labels")
        return operations().api_keys.change(g.pool, name, {"labels": labels})

    return apply


def _set_expiry(form: Form) -> Apply:
    expires_at = read_expiry(form)
    return lambda name: operations().api_keys.change(g.pool, name, {"expires_at": expires_at})


def _matching(query: Mapping[str, str]) -> list[str]:
    chosen, errors = key_filters.parse(query)
    matching = chosen.select(services().api_keys.all(g.pool), services().clock.now())
    if query.get("use") == "never":
        used = services().ledger.usage.used_keys(g.pool, [key.id for key in matching])
        matching = [key for key in matching if key.id not in used]
    return [] if errors else sorted((key.name for key in matching), key=natural)


def _choices(_: Form) -> dict[str, object]:
    api_keys = services().api_keys.all(g.pool)
    return {
        "expiries": EXPIRIES,
        "teams": choices.team_choices(),
        "models": choices.model_choices(),
        "label_names": sorted({name for key in api_keys for name, _ in key.labels}, key=natural),
    }


CHANGES = {
    "disable": BulkChange(
        "Disable",
        "disabled",
        "They are refused from now on. Requests in progress continue.",
        without_fields(lambda all_of: all_of.api_keys.disable, lambda stores: stores.api_keys.find),
        True,
    ),
    "enable": BulkChange(
        "Enable",
        "enabled",
        "They are accepted from now on.",
        without_fields(lambda all_of: all_of.api_keys.enable, lambda stores: stores.api_keys.find),
    ),
    "team": BulkChange(
        "Set team", "changed", "The limits of the team apply from the next request on.", _set_team
    ),
    "label": BulkChange(
        "Set a label",
        "changed",
        "A label of this name is replaced; without a value it is removed.",
        _set_label,
    ),
    "expiry": BulkChange("Set expiry", "changed", "After that time they are refused.", _set_expiry),
    "limit": BulkChange(
        "Add a limit",
        "changed",
        "Each key has this limit for itself. Usage since the start of its current window counts.",
        add_limit("key"),
    ),
    "remove": BulkChange(
        "Remove",
        "removed",
        "They are refused from now on, and their limits are deleted. Their usage stays in the ledger.",
        without_fields(lambda all_of: all_of.api_keys.remove),
        True,
    ),
}
PAGE = BulkPage(
    "key",
    "api_keys.show",
    "api_keys.show",
    CHANGES,
    "keys/bulk.html",
    ("team", "expires", "expires_in", "label_1_name", "label_1_value", *limit_rows.row_fields(1)),
    _matching,
    _choices,
)


@bp.post("")
def change() -> Any:
    """Show the question of a change of several keys, or make it once it is confirmed."""
    return PAGE.respond(limit_rows.row_values())
