"""Page of the limits of a key, a team or the pool: their usage, and changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import g, render_template, request, url_for

from app.admin.guard import operations
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint, redirect_with_notice
from app.admin.services import services
from app.limits.limit_syntax import format_limit, parse_limit
from app.stores.limits import FOR_POOL, for_team

bp = page_blueprint("limits", "/limits")


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose limits are shown, by name: those of a key or a team, else those of the pool."""

    key: str | None = None
    team: str | None = None

    @property
    def id(self) -> str:
        """What `LimitRepository` takes."""
        if self.team is not None:
            return for_team(self.team)
        return FOR_POOL if self.key is None else services().api_keys.find(g.pool, self.key).id


@bp.route("/of-key/<name>", methods=["GET", "POST"])
def of_key(name: str) -> Any:
    """Show and change the limits of a key."""
    services().api_keys.find(g.pool, name)
    return _page(f"key {name}", _Owner(key=name), url_for("api_keys.detail", name=name))


@bp.route("/of-team/<name>", methods=["GET", "POST"])
def of_team(name: str) -> Any:
    """Show and change the limits of a team."""
    services().teams.find(g.pool, name)
    return _page(f"team {name}", _Owner(team=name), url_for("teams.detail", name=name))


@bp.route("/of-pool", methods=["GET", "POST"])
def of_pool() -> Any:
    """Show and change the limits of the pool."""
    return _page(f"pool {g.pool}", _Owner(), url_for("settings.show"))


def _page(title: str, owner: _Owner, back: str) -> Any:
    form = Form(request.form or {"mode": "strict"}, "limit", "mode", "changed")
    if request.method == "POST":
        with form.collect_errors():
            message = _change(form, owner)
            return redirect_with_notice(message, str(request.endpoint), **(request.view_args or {}))
    limits = services().limits.all(g.pool, owner.id)
    return render_template(
        "limits.html",
        section="settings.show" if owner == _Owner() else "api_keys.show",
        owner=title,
        back=back,
        form=form,
        gauges=services().ledger.usage.limit_statuses(g.pool, limits),
    ), form.status


def _change(form: Form, owner: _Owner) -> str:
    """Make the change requested by *form*, and return a notice."""
    do, limit_id = form["do"], form["id"]
    if do == "remove":
        operations().limits.remove(g.pool, limit_id, key=owner.key, team=owner.team)
        return "The limit and its counted usage were removed."
    if do == "set":
        form.redirect_errors("limit", "changed")
        edited = operations().limits.change(
            g.pool, limit_id, parse_limit(form["changed"]), key=owner.key, team=owner.team
        )
        return f"Saved: {format_limit(edited)}."
    limit = parse_limit(form["limit"], mode=form["mode"])
    added = operations().limits.add(g.pool, limit, key=owner.key, team=owner.team)
    return f"Added: {format_limit(added)}."
