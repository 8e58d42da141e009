"""The prices and model routes of a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from app.accounts.model_routes import PoolRoutes
from app.accounts.route_syntax import format_step, is_group, parse_step
from app.errors import InvalidRequest
from app.limits.pool_prices import PoolPrices
from app.limits.prices import MILLION, STANDARD
from app.operations.model_routes import ModelRouteOperations
from app.operations.prices import RATES, PriceOperations, micro_dollars, price_row
from app.operations.setup.changes import KnownAccounts, PlannedChange, planned, skipped
from app.operations.setup.errors import DocumentErrors, errors_at
from app.patterns import pattern_error
from app.presentation.model_routes import serialize_route
from app.presentation.names import Names
from app.stores.records.model_routes import ModelRoute, RouteTarget
from app.stores.records.prices import PriceRow
from schemas.bounds import MAX_OWN_PRICES, MAX_ROUTES, name_error
from schemas.model_routes import ROUTE_INPUT

Steps = Sequence[Sequence[Mapping[str, Any]]]


def price_entry(row: PriceRow) -> dict[str, Any]:
    """Return *row*, a stored price, as the entry of a document, in US dollars per million tokens."""
    rates = {name: _dollars(row[STANDARD][name]) for name in RATES if name in row[STANDARD]}
    sizes = {name: row[name] for name in ("context", "max_output") if row.get(name)}
    images = set(row.get("image") or ())
    image = {"image": images.pop()} if len(images) == 1 else {}  # the shipped list has more than one size
    return {**rates, **sizes, **image}


def _dollars(micros: int) -> int | float:
    amount = Decimal(micros) / MILLION
    return int(amount) if amount == int(amount) else float(amount)


def plan_prices(
    operations: PriceOperations,
    prices: PoolPrices,
    pool: str,
    entries: Mapping[str, Mapping[str, Any]],
    errors: DocumentErrors,
) -> Iterator[PlannedChange]:
    """Yield the change of the price of each model in *entries*, and add to *errors*."""
    if not entries:
        return
    own, listed = prices.own(pool), prices.current(pool).rows()
    if len(own.keys() | entries.keys()) > MAX_OWN_PRICES:
        raise InvalidRequest(f"prices: a pool has at most {MAX_OWN_PRICES} prices of its own", param="prices")
    for model, entry in entries.items():
        with errors.collect(), errors_at(f"prices.{model}"):
            if error := name_error(model):
                raise InvalidRequest(f"the name of a model {error}")
            rates = {name: micro_dollars(Decimal(str(entry[name])), name) for name in RATES if name in entry}
            row = price_row(listed.get(model, {}), {**entry, **rates})
            before = price_entry(own[model]) if model in own else None
            apply = partial(_set_price, operations, pool, model, row)
            yield planned("prices", model, before, price_entry(row), apply, result=row)


def _set_price(operations: PriceOperations, pool: str, model: str, row: dict[str, Any]) -> str:
    operations.set(pool, model, row)
    return ""


class RoutePlanner:
    def __init__(
        self,
        operations: ModelRouteOperations,
        routes: PoolRoutes,
        account_names: Mapping[str, str],
        pool: str,
    ) -> None:
        """*account_names* are those of the pool, by id."""
        self._operations = operations
        self._routes = routes
        self._account_names = account_names
        self._pool = pool

    def plan(
        self, entries: Mapping[str, Mapping[str, Any]], known: KnownAccounts, errors: DocumentErrors
    ) -> Iterator[PlannedChange]:
        """Yield the change of each route of *entries*, and add to *errors*."""
        stored = self._routes.all(self._pool)
        if len(stored.keys() | entries.keys()) > MAX_ROUTES:
            raise InvalidRequest(f"models: a pool has at most {MAX_ROUTES} model routes", param="models")
        for name, entry in entries.items():
            with errors.collect(), errors_at(f"models.{name}"):
                yield self._plan(name, entry, stored.get(name), known)

    def _plan(
        self, name: str, entry: Mapping[str, Any], route: ModelRoute | None, known: KnownAccounts
    ) -> PlannedChange:
        """Return the change of *route*, None if it is new, to *entry*. Raises InvalidRequest."""
        if error := pattern_error(name):
            raise InvalidRequest(f"the name of a model route {error}")
        fields = ROUTE_INPUT.load({**entry, "steps": [_parsed(step) for step in entry["steps"]]})
        fields["steps"], absent = _select_accounts(fields["steps"], known)
        listed = ", ".join(f"'{each}'" for each in sorted(absent)[:20])
        if not fields["steps"]:
            return skipped("models", name, f"it leads only to {listed}, not created yet")

        def apply() -> str:
            self._operations.set(self._pool, name, fields)
            return ""

        before = (
            None if route is None else route_entry(serialize_route(route, Names({}, self._account_names)))
        )
        notes = (f"without {listed}, not created yet",) if absent else ()
        steps = tuple(tuple(_target(target) for target in step) for step in fields["steps"])
        result = ModelRoute(name, steps, fields["defaults"], fields["overrides"])
        return planned("models", name, before, route_entry(fields), apply, notes=notes, result=result)


def route_entry(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the *fields* of a route, with names of accounts, as the entry of a document."""
    shown: dict[str, Any] = {"steps": [written_step(step) for step in fields["steps"]]}
    return shown | {name: dict(fields[name]) for name in ("defaults", "overrides")}


def _target(target: Mapping[str, Any]) -> RouteTarget:
    return RouteTarget(target["model"], tuple(target["accounts"]), target["weight"])


def _parsed(step: str | Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    return parse_step(step) if isinstance(step, str) else step


def written_step(step: Sequence[Mapping[str, Any]]) -> str | list[dict[str, Any]]:
    """Return *step* as text, if that is possible: names of accounts may also contain an `@`."""
    targets = [
        {"model": each["model"], "accounts": _ordered(each["accounts"]), "weight": each["weight"]}
        for each in step
    ]
    if len(targets) == 1:
        targets[0]["weight"] = 1  # a single target, so its weight does not matter
    text = format_step(targets)
    return text if parse_step(text) == targets else targets


def _ordered(accounts: Sequence[str]) -> list[str]:
    """Return *accounts* of a target in stored form: each once, groups last."""
    return sorted(dict.fromkeys(accounts), key=is_group)


def _select_accounts(steps: Steps, known: KnownAccounts) -> tuple[list[list[dict[str, Any]]], set[str]]:
    """Return *steps* without absent accounts, and the names of these. Raises DocumentInvalid."""
    absent: set[str] = set()
    errors = DocumentErrors()
    selected = []
    for index, step in enumerate(steps):
        targets = []
        for target in step:
            groups = [account for account in target["accounts"] if is_group(account)]
            named = [account for account in target["accounts"] if not is_group(account)]
            present: Sequence[str] = ()
            with errors.collect_at(f"steps[{index}]"):
                present = known.select(named)
            absent |= set(named) - set(present)
            if present or groups or not named:  # a target without its accounts would allow any account
                targets.append({**target, "accounts": [*present, *groups]})
        if targets:
            selected.append(targets)
    errors.check()
    return selected, absent
