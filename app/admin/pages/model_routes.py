"""Page of model routes: names that callers use for one or more models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import g, render_template, request, url_for
from markupsafe import Markup

from app.accounts.account import Account
from app.accounts.route_syntax import format_fields, parse_fields
from app.admin.guard import operations, requires
from app.admin.pages import choices, route_rows
from app.admin.pages.confirmations import ConfirmedChange, confirm
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint, redirect_with_notice, redirect_with_warning
from app.admin.pages.pair_rows import PairRows
from app.admin.pages.shown_values import check_shown
from app.admin.services import services
from app.operations.unlisted_models import some_names, unlisted_targets
from app.presentation.model_routes import RouteView, serialize_route, step_texts
from app.presentation.names import Names
from app.presentation.route_serving import serving_now, serving_text
from app.stores.records.model_routes import ModelRoute
from app.stores.records.operators import Role
from schemas.model_routes import ROUTE_FIELDS, ROUTE_INPUT

FIELD_ROWS = {
    "defaults": PairRows("default", len(ROUTE_FIELDS), least=1),
    "overrides": PairRows("override", len(ROUTE_FIELDS), least=1),
}

SECTION = "settings.show"
REMOVE = ConfirmedChange(
    "Remove",
    "model route",
    "From the next request on, its name is that of another route that matches it, or of a model.",
    SECTION,
)

bp = page_blueprint("routes", "/settings/models")


@bp.route("", methods=["GET", "POST"])
@requires(Role.ADMIN, to_read=Role.VIEWER)
def show() -> Any:
    """List the routes of the pool; add one, and change the one that the query names."""
    names = Names.read(g.pool, services().api_keys, services().accounts)
    routes = services().routes.all(g.pool)
    views = [serialize_route(route, names) for route in routes.values()]
    chosen = next((view for view in views if view["name"] == request.args.get("name")), None)
    now = _form_values(chosen)
    form = _form(request.form if request.method == "POST" else now)
    if name := request.args.get("name", ""):
        check_shown(form, now, "model", name)
    if request.method == "POST" and (response := _change(form, chosen, routes)):
        return response
    accounts = services().accounts.all(g.pool)
    serving = _serving_texts(views, accounts)
    rows = [
        (
            view,
            step_texts(view["steps"]),
            _fields_of(view),
            _remark(routes[view["name"]], accounts),
            serving[view["name"]],
        )
        for view in views
    ]
    return render_template(
        "settings/model_routes.html",
        section=SECTION,
        form=form,
        chosen=chosen,
        rows=rows,
        models=choices.listed_models(accounts),
        accounts=choices.account_choices(accounts),
        fields=ROUTE_FIELDS,
        field_rows={name: rows.count(form.typed) for name, rows in FIELD_ROWS.items()},
        target_rows=route_rows.count_rows(form.typed),
        max_targets=route_rows.MAX_ROWS,
        orders=route_rows.ORDERS,
    ), form.status


@bp.route("/remove", methods=["GET", "POST"])
def remove() -> Any:
    """Remove the route that the query names, after a confirmation."""
    name = services().routes.find(g.pool, request.args.get("name", "")).name
    back = url_for("routes.show")
    return confirm(REMOVE, name, lambda _: operations().routes.remove(g.pool, name), back=back)


def _serving_texts(views: Sequence[RouteView], accounts: Sequence[Account]) -> dict[str, str]:
    """Return by which target each of *views* is served now, by name; '' if it was just removed."""
    routes, now = services().routes.current(g.pool), services().clock.now()
    rests = services().model_rests.all(g.pool, now)
    found = {view["name"]: routes.find(view["name"]) for view in views}
    return {
        name: serving_text(serving_now(route.steps, accounts, rests, now)) if route else ""
        for name, route in found.items()
    }


def _remark(route: ModelRoute, accounts: Sequence[Account]) -> str:
    """Return what is wrong with *route*, '' if nothing is known to be."""
    if lost := route.lost_models({account.id for account in accounts}):
        return f"no account is left for {some_names(lost)}"
    unlisted = unlisted_targets(route, accounts)
    return unlisted.sentence() if unlisted and not unlisted.silent else ""


def _form(typed: Mapping[str, str]) -> Form:
    pairs = (name for rows in FIELD_ROWS.values() for name in rows.fields(typed))
    return Form(typed, "name", "steps", *FIELD_ROWS, *route_rows.row_fields(typed), *pairs)


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
    pairs = {"defaults": view["defaults"], "overrides": view["overrides"]}
    return {
        "name": view["name"],
        **route_rows.row_values(view["steps"]),
        **{
            field: text
            for setting, fields in pairs.items()
            for field, text in FIELD_ROWS[setting].values((n, str(v)) for n, v in fields.items()).items()
        },
    }


def _change(form: Form, chosen: RouteView | None, routes: Mapping[str, ModelRoute]) -> Any:
    """
    Set the route in *form* and return to the page with its result; None after an error.

    Only the route *chosen*, whose values the form showed, is replaced.
    """
    name = form["name"].strip()
    is_new = chosen is None or chosen["name"] != name
    if is_new and name in routes:
        form.add_error("name", _existing(name))
    with form.collect_errors():
        steps = route_rows.read_steps(form, services().accounts.all(g.pool))
        if not steps:
            form.add_error("target_1_model", "must have a step: the name of a model")
        fields = {"steps": steps, **{setting: _read_fields(form, setting) for setting in FIELD_ROWS}}
        changes = ROUTE_INPUT.load(fields)
        if not form.errors:
            save = operations().routes.add if is_new else operations().routes.set
            return _outcome(save(g.pool, name, changes), changes)
    return None


def _existing(name: str) -> Markup:
    message = Markup("A route named '{}' exists; <a href=\"{}\">change it on its own page</a>.")
    return message.format(name, url_for("routes.show", name=name))


def _outcome(route: ModelRoute, changes: Mapping[str, Any]) -> Any:
    """Return to the page, which shows that *route* was set to *changes*, and what is probably a mistake."""
    outcome = f"{route.name} leads to {', then '.join(step_texts(changes['steps']))}, from the next request"
    if warnings := operations().routes.find_warnings(g.pool, route):
        return redirect_with_warning(f"{outcome}, but {'; '.join(warnings)}.", "routes.show")
    return redirect_with_notice(f"{outcome}.", "routes.show")


def _read_fields(form: Form, setting: str) -> dict[str, Any]:
    """Return the fields of *setting*; from now on, errors of each are shown at its row."""
    fields: dict[str, Any] = {}
    for pair in FIELD_ROWS[setting].read(form):
        is_known = pair.name in ROUTE_FIELDS
        form.redirect_errors((setting, pair.name), pair.value_field if is_known else pair.name_field)
        fields |= parse_fields([f"{pair.name}={pair.value}"], setting)
    return fields
