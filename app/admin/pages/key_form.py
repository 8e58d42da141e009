"""The form that creates or changes an API key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g, render_template

from app.admin.pages import choices, limit_rows
from app.admin.pages.clock import input_moment
from app.admin.pages.forms import Form
from app.admin.pages.key_expiry import EXPIRIES, read_expiry
from app.admin.pages.pair_rows import PairRows
from app.admin.services import services
from app.formatting import natural
from app.stores.records.api_keys import ApiKey
from app.stores.records.limits import Limit
from app.suggestions import suggestion
from schemas.api_keys import KeyInput
from schemas.key_labels import MAX_LABELS, NAME, NAME_ERROR, value_error

SECTION = "api_keys.show"
PLAIN_FIELDS = (
    *("name", "team", "owner", "labels", "models", "accounts", "expires", "expires_in"),
    *("output_tokens", "on_cut", "raw", "queue_seconds", "weight"),
)
FOLDED = (("output_tokens", ""), ("queue_seconds", ""), ("weight", "1"), ("on_cut", "fail"), ("raw", ""))
LABELS = PairRows("label", MAX_LABELS, least=4)
_EMPTY = {"expires_at": None, "output_tokens": 0, "team": None, "queue_seconds": None, "weight": 1}


class KeyForm:
    """A submitted or new form; *key* is the key to change, None to create one."""

    def __init__(self, typed: Mapping[str, str], key: ApiKey | None = None) -> None:
        self.key = key
        self.limit_rows = 0 if key else limit_rows.count_rows(typed)
        self.form = Form(
            typed,
            *PLAIN_FIELDS,
            *limit_rows.row_fields(self.limit_rows),
            *LABELS.fields(typed),
        )

    def read(self) -> tuple[dict[str, Any], list[Limit]]:
        """Return the fields of a KeyInput and the limits; errors are recorded at their fields."""
        form, changes = self.form, dict[str, Any]()
        expires_at = read_expiry(self.form, self.key.expires_at if self.key else None)
        labels = self._labels()
        with form.collect_errors():
            changes = KeyInput().load(self._texts(labels), partial=self.key is not None)
        if expires_at is not None:
            changes["expires_at"] = expires_at
        limits = limit_rows.read_limits(form, self.limit_rows)
        self._check_names()
        return (_EMPTY | changes if self.key else changes), limits

    def _texts(self, labels: Mapping[str, str]) -> dict[str, object]:
        form = self.form
        fields: dict[str, object] = {**form.filled("on_cut", "team")}
        if self.key is None:
            fields |= form.filled("name")
        for name in ("output_tokens", "queue_seconds", "weight"):
            if form[name].strip():
                fields[name] = form.integer(name)
        return fields | {
            "owner": form["owner"].strip(),
            "labels": labels,
            "models": form.lines("models"),
            "accounts": form.lines("accounts"),
            "raw": bool(form["raw"]),
        }

    def _labels(self) -> dict[str, str]:
        form, labels = self.form, dict[str, str]()
        for name, value, name_field, value_field in LABELS.read(form):
            if NAME.match(name) is None:
                form.add_error(name_field, NAME_ERROR)
            elif error := value_error(value):
                form.add_error(value_field, error)
            else:
                labels[name] = value
        return labels

    def _check_names(self) -> None:
        """Record names that do not exist, or are taken, together with the other errors."""
        form, app_services = self.form, services()
        known = sorted(app_services.accounts.names_by_id(g.pool).values())
        if unknown := [name for name in form.lines("accounts") if name not in known]:
            similar = suggestion(unknown[0], known)
            form.add_error("accounts", f"There is no account named '{unknown[0][:64]}'{similar}")
        team = form["team"].strip()
        teams = choices.team_choices()
        if team and team not in teams:
            form.add_error("team", f"There is no team named '{team[:64]}'{suggestion(team, teams)}")
        if not self.key and form["name"].strip() in app_services.api_keys.names_by_id(g.pool).values():
            form.add_error("name", "Another key has this name")

    def _has_more(self) -> bool:
        """Return whether one of the settings under "more" has a value or an error."""
        return any(self.form[name] not in ("", usual) or name in self.form.errors for name, usual in FOLDED)

    def render(self) -> tuple[str, int]:
        """Return the page with the form, and its status."""
        accounts, api_keys = services().accounts.all(g.pool), services().api_keys.all(g.pool)
        return render_template(
            "keys/form.html",
            section=SECTION,
            form=self.form,
            name=self.key.name if self.key else "",
            limit_rows=self.limit_rows,
            label_rows=LABELS.count(self.form.typed),
            max_labels=MAX_LABELS,
            expiries=EXPIRIES,
            more_open=self._has_more(),
            models=choices.model_choices(accounts),
            accounts=choices.account_choices(accounts),
            teams=choices.team_choices(),
            owners=choices.owner_choices(api_keys),
            label_names=sorted({name for key in api_keys for name, _ in key.labels}, key=natural),
        ), self.form.status


def new_values(team: str = "") -> dict[str, str]:
    """Return the values of the form of a new key."""
    return {"on_cut": "fail", "team": team, **limit_rows.row_values()}


def values_of(key: ApiKey) -> dict[str, str]:
    """Return the values of the form of *key*."""
    return {
        **LABELS.values(key.labels),
        "team": key.team,
        "owner": key.owner,
        "models": ", ".join(key.models),
        "accounts": ", ".join(_account_names(key)),
        "expires": input_moment(key.expires_at),
        "output_tokens": str(key.output_tokens or ""),
        "on_cut": key.on_cut,
        "queue_seconds": "" if key.queue_seconds is None else str(key.queue_seconds),
        "weight": str(key.weight),
        "raw": "yes" if key.raw else "",
    }


def _account_names(key: ApiKey) -> list[str]:
    names = services().accounts.names_by_id(g.pool)
    return [names.get(account_id, account_id) for account_id in key.accounts]
