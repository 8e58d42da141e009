"""Page of the limits of a key, a team or the pool: their usage, and changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import flash, g, redirect, render_template, request, url_for

from app.admin.guard import operations
from app.admin.pages import choices, limit_rows
from app.admin.pages.confirmations import ConfirmedChange, confirm
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint
from app.admin.pages.shown_values import check_shown, digests_of
from app.admin.services import services
from app.errors import NotFound
from app.limits.limit_syntax import readable_limit
from app.operations.limits import was_there
from app.stores.limits import FOR_POOL, for_team
from app.stores.records.limits import Limit

bp = page_blueprint("limits", "/limits")

REMOVE_TEXT = "It limits nothing from the next request on, and its counted usage is deleted."


@dataclass(frozen=True, slots=True)
class _Owner:
    """The key or team, by name, whose limits are shown; the pool if neither is set."""

    key: str | None = None
    team: str | None = None

    @property
    def id(self) -> str:
        """The owner id that `LimitRepository` takes."""
        if self.team is not None:
            return for_team(self.team)
        return FOR_POOL if self.key is None else services().api_keys.find(g.pool, self.key).id

    @property
    def title(self) -> str:
        """The kind of the owner and its name."""
        if self.team is not None:
            return f"team {self.team}"
        return f"pool {g.pool}" if self.key is None else f"key {self.key}"

    @property
    def page(self) -> str:
        """The address of the page of its limits."""
        if self.team is not None:
            return url_for("limits.of_team", name=self.team)
        return url_for("limits.of_pool") if self.key is None else url_for("limits.of_key", name=self.key)

    @property
    def section(self) -> str:
        """The section of the navigation."""
        return "settings.show" if self == _Owner() else "api_keys.show"


@bp.route("/of-key/<name>", methods=["GET", "POST"])
def of_key(name: str) -> Any:
    """Show and change the limits of a key."""
    services().api_keys.find(g.pool, name)
    return _page(_Owner(key=name), url_for("api_keys.detail", name=name))


@bp.route("/of-team/<name>", methods=["GET", "POST"])
def of_team(name: str) -> Any:
    """Show and change the limits of a team."""
    services().teams.find(g.pool, name)
    return _page(_Owner(team=name), url_for("teams.detail", name=name))


@bp.route("/of-pool", methods=["GET", "POST"])
def of_pool() -> Any:
    """Show and change the limits of the pool."""
    return _page(_Owner(), url_for("settings.show"))


@bp.route("/remove", methods=["GET", "POST"])
def remove() -> Any:
    """Remove the limit `id` of the query, of its `key`, its `team` or the pool, after a confirmation."""
    owner = _Owner(key=request.args.get("key"), team=request.args.get("team"))
    limit = _find(owner, request.args.get("id", ""))
    change = ConfirmedChange("Remove", "limit", REMOVE_TEXT, owner.section)

    def operation(_: Form) -> None:
        operations().limits.remove(g.pool, limit.id, key=owner.key, team=owner.team)

    return confirm(change, f"{readable_limit(limit)} of {owner.title}", operation, back=owner.page)


def _page(owner: _Owner, back: str) -> Any:
    form = Form({**limit_rows.row_values(), **request.form}, *limit_rows.row_fields(1), "changed")
    if request.method == "POST":
        with form.collect_errors():
            if message := _change(form, owner):
                flash(message)
                return redirect(owner.page, 303)
    limits = services().limits.all(g.pool, owner.id)
    return render_template(
        "limits.html",
        section=owner.section,
        owner=owner,
        back=back,
        form=form,
        gauges=services().ledger.usage.limit_statuses(g.pool, limits),
        models=choices.model_choices(),
        limit_parts=limit_rows.limit_parts,
        shown=lambda parts: digests_of(_values(parts)),
        units=dict(limit_rows.UNITS),
    ), form.status


def _change(form: Form, owner: _Owner) -> str:
    """Make the change in *form* and return a notice; '' if it failed, with the error in *form*."""
    if form["do"] == "set":
        return _change_amount(form, owner, form["id"])
    limits = limit_rows.read_limits(form, 1)
    if not limits:
        form.add_error("limit_1_amount", "An amount is missing")
        return ""
    added = operations().limits.add(g.pool, limits[0], key=owner.key, team=owner.team)
    if was_there(limits[0], added):
        return f"There is this limit already: {readable_limit(added)}."
    warnings = operations().limits.find_warnings(g.pool, added, key=owner.key, team=owner.team)
    return " ".join((f"Added: {readable_limit(added)}.", *(f"Note: {warning}." for warning in warnings)))


def _change_amount(form: Form, owner: _Owner, limit_id: str) -> str:
    """Give a limit the amount and mode in *form*; its counted usage stays."""
    form.redirect_errors("limit", "changed")
    form.redirect_errors("amount", "changed")
    before = _find(owner, limit_id)
    parts = limit_rows.limit_parts(before)
    period = None if before.unit.is_concurrent else parts["period"]
    check_shown(form, _values(parts), "limit", owner.team or owner.key or g.pool)
    if form.errors:
        return ""
    changed = limit_rows.limit_of(form["changed"], parts["unit"], period, before.model, form["changed_mode"])
    edited = operations().limits.change(g.pool, limit_id, changed, key=owner.key, team=owner.team)
    return f"Saved: {readable_limit(edited)}."


def _values(parts: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the form that changes the amount and mode of the limit with *parts*."""
    return {"changed": parts["amount"], "changed_mode": parts["mode"]}


def _find(owner: _Owner, limit_id: str) -> Limit:
    for limit in services().limits.all(g.pool, owner.id):
        if limit.id == limit_id:
            return limit
    raise NotFound(f"There is no limit '{limit_id[:40]}' of {owner.title}")
