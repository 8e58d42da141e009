"""What can be done with several keys at once. Each action reads its fields, and changes key after key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import g

from app.admin.guard import operations
from app.admin.pages import choices, limit_rows
from app.admin.pages.forms import Form
from app.admin.pages.key_expiry import read_expiry
from app.admin.services import services
from app.errors import InvalidRequest
from schemas.key_labels import MAX_LABELS, NAME, NAME_ERROR, value_error

FIELDS = ("team", "expires", "expires_in", "label_1_name", "label_1_value", *limit_rows.row_fields(1))

Apply = Callable[[str], object]  # changes the key of a name


@dataclass(frozen=True, slots=True)
class BulkAction:
    """A change of several keys. `read` returns what to do with each; the form has its errors."""

    verb: str  # of the button
    done: str  # of the notice: `3 keys were …`
    text: str
    read: Callable[[Form], Apply]
    is_grave: bool = False


def _disable(_: Form) -> Apply:
    return lambda name: operations().api_keys.disable(g.pool, name)


def _enable(_: Form) -> Apply:
    return lambda name: operations().api_keys.enable(g.pool, name)


def _remove(_: Form) -> Apply:
    return lambda name: operations().api_keys.remove(g.pool, name)


def _set_team(form: Form) -> Apply:
    team = form["team"].strip()
    if team and team not in choices.team_choices():
        form.add_error("team", f"There is no team named '{team[:64]}'")
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


def _add_limit(form: Form) -> Apply:
    if not limit_rows.read_limits(form, 1) and not form.errors:
        form.add_error("limit_1_amount", "An amount is missing")

    def apply(name: str) -> object:
        (limit,) = limit_rows.read_limits(form, 1)  # each key has one of its own, with an id of its own
        return operations().limits.add(g.pool, limit, key=name)

    return apply


ACTIONS = {
    "disable": BulkAction(
        "Disable", "disabled", "They are refused from now on. Requests in progress continue.", _disable, True
    ),
    "enable": BulkAction("Enable", "enabled", "They are accepted from now on.", _enable),
    "team": BulkAction(
        "Set team", "changed", "The limits of the team apply from the next request on.", _set_team
    ),
    "label": BulkAction(
        "Set a label",
        "changed",
        "A label of this name is replaced; without a value it is removed.",
        _set_label,
    ),
    "expiry": BulkAction("Set expiry", "changed", "From then on they are refused.", _set_expiry),
    "limit": BulkAction(
        "Add a limit",
        "changed",
        "Each key has this limit for itself. Usage earlier in its window counts.",
        _add_limit,
    ),
    "remove": BulkAction(
        "Remove",
        "removed",
        "They are refused from now on, and their limits are deleted. Their usage stays in the ledger.",
        _remove,
        True,
    ),
}
