"""Page of the limits of a key or of the pool: their usage, and changes."""

from __future__ import annotations

from typing import Any

from flask import g, render_template, request, url_for

from app.admin.guard import operations
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint, redirect_with_notice
from app.admin.services import services
from app.limits.limit_syntax import format_limit, parse_limit
from app.stores.limits import FOR_POOL

bp = page_blueprint("limits", "/limits")


@bp.route("/of-key/<name>", methods=["GET", "POST"])
def of_key(name: str) -> Any:
    """Show and change the limits of a key."""
    services().api_keys.find(g.pool, name)
    return _page(f"key {name}", name, url_for("api_keys.detail", name=name))


@bp.route("/of-pool", methods=["GET", "POST"])
def of_pool() -> Any:
    """Show and change the limits of the pool."""
    return _page(f"pool {g.pool}", FOR_POOL, url_for("settings.show"))


def _page(owner: str, key_name: str, back: str) -> Any:
    form = Form(request.form or {"mode": "strict"}, "limit", "mode", "changed")
    if request.method == "POST":
        with form.collect_errors():
            message = _change(form, key_name)
            return redirect_with_notice(message, str(request.endpoint), **(request.view_args or {}))
    key_id = services().api_keys.find(g.pool, key_name).id if key_name else FOR_POOL
    limits = services().limits.all(g.pool, key_id)
    return render_template(
        "limits.html",
        section="api_keys.show" if key_name else "settings.show",
        owner=owner,
        back=back,
        form=form,
        gauges=services().ledger.usage.limit_statuses(g.pool, limits),
    ), form.status


def _change(form: Form, key_name: str) -> str:
    """Make the change requested by *form*, and return a notice."""
    do, limit_id = form["do"], form["id"]
    if do == "remove":
        operations().limits.remove(g.pool, limit_id, key=key_name or None)
        return "The limit and its counted usage were removed."
    if do == "set":
        form.redirect_errors("limit", "changed")
        edited = operations().limits.change(
            g.pool, limit_id, parse_limit(form["changed"]), key=key_name or None
        )
        return f"Saved: {format_limit(edited)}."
    added = operations().limits.add(
        g.pool, parse_limit(form["limit"], mode=form["mode"]), key=key_name or None
    )
    return f"Added: {format_limit(added)}."
