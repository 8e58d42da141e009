"""The filters of the list of keys, which are parameters of its address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marshmallow import ValidationError

from app.admin.pages import choices
from app.admin.pages.lists import Filter
from app.presentation.api_keys import KeyFilter
from app.stores.records.api_keys import ApiKey, KeyState
from schemas.key_labels import parse_label_filters

STATES = tuple((state.value, state.value) for state in KeyState)
LIMITS = (("none", "no limit of its own"),)
USE = (("never", "never used"),)


def parse(args: Mapping[str, str]) -> tuple[KeyFilter, list[str]]:
    """Return the filter in the query *args*, and its errors; a filter with errors matches no key."""
    text, team, owner, state, model, label = (
        args.get(name, "").strip() for name in ("q", "team", "owner", "state", "model", "labels")
    )
    try:
        labels = parse_label_filters(label)
    except ValidationError:
        return KeyFilter(state="none"), [
            f"'{label[:60]}' is not a label: write name=value, or name for any value"
        ]
    return KeyFilter(text, team, owner, labels, state, model, args.get("limits") == "none"), []


def filters(api_keys: Sequence[ApiKey]) -> list[Filter]:
    """Return the filters next to the search field."""
    teams = sorted({key.team for key in api_keys if key.team})
    return [Filter("state", "State", STATES), *([Filter("team", "Team", teams)] if teams else [])]


def more_filters(api_keys: Sequence[ApiKey]) -> list[Filter]:
    """Return the filters in the menu."""
    return [
        Filter("owner", "Owner", choices.owner_choices(api_keys), free=True),
        Filter("labels", "Label", choices.label_choices(api_keys), free=True),
        Filter("model", "May use the model", [name for name, _ in choices.model_choices()], free=True),
        Filter("limits", "Limits", LIMITS),
        Filter("use", "Use", USE),
    ]
