"""Page of prices: the public list, and the pool's own prices, which override it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import g, render_template, request, url_for
from markupsafe import Markup

from app.admin.guard import operations, requires
from app.admin.pages.confirmations import ConfirmedChange, confirm
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint, redirect_with_notice
from app.admin.pages.lists import paginate, parse_sort
from app.admin.pages.shown_values import check_shown
from app.admin.services import services
from app.errors import InvalidRequest, NotFound
from app.formatting import natural, plain_dollars
from app.ledger.ranges import Span
from app.ledger.sums import Grouping
from app.limits.prices import STANDARD
from app.operations.prices import micro_dollars, price_row
from app.stores.records.operators import Role
from schemas.admin import MAX_MODEL_TOKENS
from schemas.bounds import parse_number

MAX_ROWS = 100  # models on a page
MONEY = ("input", "cached_input", "output")
REQUIRED = ("input", "output")
SIZES = ("context", "max_output")
MAX_NAME = 200
MAX_UNPRICED = 50
SECTION = "settings.show"
REMOVE = ConfirmedChange(
    "Remove",
    "the pool's own price of",
    "From the next request on, the list price applies; a model that is not on the list has no price. "
    "Costs of past requests do not change.",
    SECTION,
)

bp = page_blueprint("prices", "/settings/prices")


@dataclass(frozen=True, slots=True)
class PriceView:
    """The price of a model in micro-dollars per million tokens, and the sizes of the model in tokens."""

    model: str
    input: int
    cached: int
    output: int
    context: int | None
    max_output: int | None
    version: str
    own: bool


SORT_KEYS: Mapping[str, Callable[[PriceView], Any]] = {
    "": lambda view: 0,  # the pool's own prices first, then by name
    "model": lambda view: natural(view.model),
    "input": lambda view: view.input,
    "cached": lambda view: view.cached,
    "output": lambda view: view.output,
    "context": lambda view: view.context or 0,
    "max_output": lambda view: view.max_output or 0,
}


@bp.route("", methods=["GET", "POST"])
@requires(Role.ADMIN, to_read=Role.VIEWER)
def show() -> Any:
    """List prices; add one of the pool, and change the one that the query names."""
    rows = services().prices.current(g.pool).rows()
    model, q = request.args.get("model", ""), request.args.get("q", "").strip()
    now = _form_values(model, rows.get(model))
    form = Form(request.form if request.method == "POST" else now, "model", *MONEY, *SIZES)
    if model:
        check_shown(form, now, "price", model)
    if request.method == "POST" and not form.errors:
        with form.collect_errors():
            message = _save(form, chosen=model)
            if not form.errors:
                return redirect_with_notice(message, "prices.show", q=q or None)
    sort = parse_sort(request.args.get("sort"), SORT_KEYS, "")
    matches = [
        _view(name, row) for name, row in sorted(rows.items(), key=_own_first) if q.lower() in name.lower()
    ]
    if sort.column:
        matches.sort(key=SORT_KEYS[sort.column], reverse=sort.descending)
    shown, pages = paginate(matches, request.args.get("page"), MAX_ROWS)
    return render_template(
        "settings/prices.html",
        section=SECTION,
        form=form,
        chosen=model,
        unpriced=_unpriced() if not q else [],
        rows=shown,
        pages=pages,
        sort=sort,
    ), form.status


@bp.route("/remove", methods=["GET", "POST"])
def remove() -> Any:
    """Remove the pool's own price of the model that the query names, after a confirmation."""
    model = request.args.get("model", "")
    if model not in services().prices.own(g.pool):
        raise NotFound(f"Pool '{g.pool}' has no price of its own for '{model[:64]}'", param="model")
    back = url_for("prices.show", q=request.args.get("q"))
    return confirm(REMOVE, model, lambda _: operations().prices.remove(g.pool, model), back=back)


def _unpriced() -> list[tuple[str, int]]:
    """Return the models without a price that served requests in the last 30 days: (model, requests)."""
    totals = services().ledger.series.series(g.pool, Span.MONTH, Grouping.MODEL).totals()
    prices = services().prices.current(g.pool)
    used = [(model, figures["requests"]) for model, figures in totals.items() if figures["requests"]]
    found = [(model, number) for model, number in used if model and prices.find(model) is None]
    return sorted(found, key=lambda item: (-item[1], natural(item[0])))[:MAX_UNPRICED]


def is_own(row: Mapping[str, Any]) -> bool:
    """Return whether *row* is a pool's own price."""
    return str(row["version"]).startswith("pool-")


def _own_first(named: tuple[str, Mapping[str, Any]]) -> tuple[bool, str]:
    return not is_own(named[1]), named[0]


def _form_values(model: str, row: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the initial form: the current price of *model*."""
    if not row:
        return {"model": model}
    money = {name: plain_dollars(row[STANDARD][name]) for name in MONEY if name in row[STANDARD]}
    return {"model": model} | money | {name: str(row[name]) for name in SIZES if row.get(name)}


def _view(model: str, row: Mapping[str, Any]) -> PriceView:
    rates = row[STANDARD]
    return PriceView(
        model=model,
        input=rates["input"],
        cached=rates.get("cached_input", rates["input"]),
        output=rates["output"],
        context=row.get("context"),
        max_output=row.get("max_output"),
        version=row["version"],
        own=is_own(row),
    )


def _save(form: Form, chosen: str) -> str:
    """
    Set the price in *form* and return a notice; '' if it failed, with the error in *form*.

    Of the pool's own prices, only that of the model *chosen*, whose values the form showed, is replaced.
    """
    model = form["model"].strip()
    if model != chosen and model in services().prices.own(g.pool):
        form.add_error("model", _existing(model))
        return ""
    if not model or len(model) > MAX_NAME:
        raise InvalidRequest(f"must be a name of 1 to {MAX_NAME} characters", param="model")
    fields: dict[str, Any] = {
        name: _price(form, name) for name in MONEY if form[name].strip() or name in REQUIRED
    }
    fields |= {name: _tokens(form, name) for name in SIZES if form[name].strip()}
    known = services().prices.current(g.pool).rows().get(model, {})
    save = operations().prices.set if model == chosen else operations().prices.add
    save(g.pool, model, price_row(known, fields))
    return f"{model} has its own price in this pool, from the next request."


def _existing(model: str) -> Markup:
    message = Markup("This pool has a price of '{}'; <a href=\"{}\">change it on its own page</a>.")
    return message.format(model, url_for("prices.show", model=model))


def _price(form: Form, name: str) -> int:
    text = form[name].strip()
    if parse_number(text) is None:
        raise InvalidRequest("must be a number of US dollars, such as 1.25", param=name)
    return micro_dollars(Decimal(text), name)


def _tokens(form: Form, name: str) -> int:
    number = form.integer(name)
    if not isinstance(number, int) or not 0 < number <= MAX_MODEL_TOKENS:
        raise InvalidRequest("must be a whole number of tokens", param=name)
    return number
