"""Page of model routes: names that callers use for one or more models."""

from __future__ import annotations

from typing import Any

from flask import g, render_template, request

from app.accounts.route_syntax import format_fields, parse_fields, parse_step
from app.admin.guard import operations, requires
from app.admin.pages import choices
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint, redirect_with_notice, redirect_with_warning
from app.admin.services import services
from app.errors import InvalidRequest
from app.operations.model_routes import unlisted_targets
from app.presentation.model_routes import RouteView, serialize_route, step_texts
from app.stores.records.operators import Role
from schemas.model_routes import ROUTE_INPUT

bp = page_blueprint("routes", "/settings/models")


@bp.route("", methods=["GET", "POST"])
@requires(Role.ADMIN, to_read=Role.VIEWER)
def show() -> Any:
    """List the routes of the pool, and set or remove one."""
    names = services().accounts.names_by_id(g.pool)
    routes = services().routes.all(g.pool)
    views = [serialize_route(route, names) for route in routes.values()]
    chosen = next((view for view in views if view["name"] == request.args.get("name")), None)
    form = Form(
        request.form if request.method == "POST" else _form_values(chosen),
        *("name", "steps", "defaults", "overrides"),
    )
    if request.method == "POST":
        with form.collect_errors():
            return _change(form)
    accounts = services().accounts.all(g.pool)
    rows = [
        (view, step_texts(view["steps"]), _fields_of(view), unlisted_targets(routes[view["name"]], accounts))
        for view in views
    ]
    return render_template(
        "settings/model_routes.html",
        section="settings.show",
        form=form,
        rows=rows,
        models=choices.model_choices(),
    ), form.status


def _fields_of(view: RouteView) -> str:
    return ", ".join(
        f"{kind} {field}"
        for kind, fields in (("default", view["defaults"]), ("override", view["overrides"]))
        for field in format_fields(fields)
    )


def _form_values(view: RouteView | None) -> dict[str, str]:
    """Return the initial form: the current route."""
    if view is None:
        return {}
    return {
        "name": view["name"],
        "steps": "\n".join(step_texts(view["steps"])),
        "defaults": "\n".join(format_fields(view["defaults"])),
        "overrides": "\n".join(format_fields(view["overrides"])),
    }


def _change(form: Form) -> Any:
    """Make the change requested by *form*, and return to the page with its result."""
    name = form["name"].strip()
    if form["do"] == "remove":
        operations().routes.remove(g.pool, name)
        return redirect_with_notice(f"{name} is no model route any more.", "routes.show")
    steps = [line.strip() for line in form["steps"].splitlines() if line.strip()]
    if not steps:
        raise InvalidRequest("must have a step: the name of a model", param="steps")
    fields = ROUTE_INPUT.load(
        {
            "steps": list(map(parse_step, steps)),
            "defaults": parse_fields(form.lines("defaults"), "defaults"),
            "overrides": parse_fields(form.lines("overrides"), "overrides"),
        }
    )
    route = operations().routes.set(g.pool, name, fields)
    outcome = f"{name} leads to {', then '.join(steps)}, from the next request"
    if missing := unlisted_targets(route, services().accounts.all(g.pool)):
        message = f"{outcome}, but no account that it may use lists {', '.join(missing)}."
        return redirect_with_warning(message, "routes.show")
    return redirect_with_notice(f"{outcome}.", "routes.show")
