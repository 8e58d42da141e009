"""Plan the changes that make a pool match a document."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError

from app.accounts.accounts import AccountRepository
from app.accounts.model_routes import PoolRoutes
from app.accounts.pools import Pool, PoolRepository
from app.config import Settings
from app.errors import InvalidRequest
from app.limits.pool_prices import PoolPrices
from app.operations.account_rules import KIND_RULES, SIMULATED_RULES
from app.operations.service import AdminOperations
from app.operations.setup.accounts import AccountPlanner
from app.operations.setup.changes import Action, KnownAccounts, PlannedChange
from app.operations.setup.errors import DocumentErrors
from app.operations.setup.keys import KeyPlanner, Known
from app.operations.setup.limits import plan_limits
from app.operations.setup.models import RoutePlanner, plan_prices
from app.operations.setup.pools import plan_settings
from app.operations.setup.secrets import Variables
from app.operations.setup.teams import TeamPlanner
from app.operations.setup.webhooks import WebhookPlanner
from app.stores.api_keys import ApiKeyRepository
from app.stores.limits import LimitRepository
from app.stores.teams import TeamRepository
from app.stores.webhooks import WebhookRepository
from schemas.setup_document import SetupDocument
from schemas.validation_errors import all_error_paths


@dataclass(frozen=True, slots=True)
class SetupStores:
    """The stores with which a plan compares a document."""

    settings: Settings
    pools: PoolRepository
    accounts: AccountRepository
    api_keys: ApiKeyRepository
    limits: LimitRepository
    prices: PoolPrices
    routes: PoolRoutes
    teams: TeamRepository
    webhooks: WebhookRepository

    def find_pool(self, name: str) -> Pool | None:
        """Return the pool *name*, None if it does not exist yet."""
        return next((pool for pool in self.pools.all() if pool.name == name), None)


@dataclass(frozen=True, slots=True)
class SetupPlan:
    """
    The *changes*, in order, that make a pool match a document.

    *secrets* are the names of the document's variables. *missing* has the path of each variable that is
    needed and not set, by its name.
    """

    changes: Sequence[PlannedChange]
    secrets: Sequence[str]
    missing: Mapping[str, str]

    def listed_missing(self) -> str:
        """Return the names of the missing secrets with their paths, as a list in a sentence."""
        return ", ".join(f"{name} ({path})" for name, path in self.missing.items())

    def missing_errors(self) -> list[InvalidRequest]:
        """Return an error for each missing secret."""
        return [
            InvalidRequest(f"{path}: the variable {name} is not set", param=path)
            for name, path in self.missing.items()
        ]


def plan_document(
    content: Any,
    pool: str,
    operations: AdminOperations,
    stores: SetupStores,
    secrets: Mapping[str, str],
    *,
    coming: Collection[str] = (),
) -> SetupPlan:
    """
    Return the plan that makes *pool* match *content*, a document that is not validated yet.

    Nothing is changed. *secrets* are values by the names of their variables; *coming* are the names of
    accounts that will exist when the plan is applied. Raises InvalidRequest with the path in the document as
    param, None for the document itself.
    """
    errors = DocumentErrors()
    document = _load(content, errors)
    planner = _Planner(pool, operations, stores, Variables(secrets), errors)
    accounts = {*stores.accounts.names_by_id(pool).values(), *coming, *_names(content, "accounts")}
    changes = planner.plan(document, accounts, _names(content, "teams"))
    plan = SetupPlan(changes, planner.variables.named, planner.variables.missing)
    errors.check(plan.missing_errors())
    return plan


def _load(content: Any, errors: DocumentErrors) -> Mapping[str, Any]:
    """Return the valid parts of the document *content*, and add the errors of its form to *errors*."""
    try:
        document: Mapping[str, Any] = SetupDocument(KIND_RULES | SIMULATED_RULES).load(content)
    except ValidationError as error:
        for path, message in all_error_paths(error):
            text = f"{path} {message}" if path else "must be a mapping of sections, such as accounts and keys"
            errors.add(InvalidRequest(text, param=path or None))
        document = error.valid_data if isinstance(error.valid_data, dict) else {}
    return document


def _names(content: Any, section: str) -> set[str]:
    """Return the names in a *section* of *content*, also those of entries with errors."""
    entries = content.get(section) if isinstance(content, dict) else None
    objects = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    return {each["name"] for each in objects if isinstance(each.get("name"), str)}


@dataclass(frozen=True, slots=True)
class _Planner:
    """Plans the changes of a *pool*; collects the *errors* of all sections."""

    pool: str
    operations: AdminOperations
    stores: SetupStores
    variables: Variables
    errors: DocumentErrors

    def plan(
        self, document: Mapping[str, Any], accounts: Collection[str], teams: Collection[str]
    ) -> list[PlannedChange]:
        """
        Return the changes that *document* makes, in order.

        *accounts* are the names of all that the pool or the document has, *teams* those of the document.
        """
        account_planner = AccountPlanner(
            self.operations.accounts, self.stores.accounts, self.stores.settings, self.pool
        )
        entries = document.get("accounts", ())
        account_changes = self._section(account_planner.plan(entries, self.variables, self.errors))
        absent = {change.name for change in account_changes if change.action is Action.SKIPPED}
        known = KnownAccounts(set(accounts) - absent, absent)
        return [
            *self._plan_pool(document),
            *account_changes,
            *self._plan_callers(document, known, teams),
            *self._plan_webhooks(document.get("webhooks", ())),
        ]

    def _section(self, changes: Iterable[PlannedChange]) -> list[PlannedChange]:
        """Return *changes* until an error of their section, which is added to the errors."""
        planned: list[PlannedChange] = []
        with self.errors.collect():
            planned += changes
        return planned

    def _plan_pool(self, document: Mapping[str, Any]) -> Iterator[PlannedChange]:
        pool, operations, stores = self.pool, self.operations, self.stores
        if "settings" in document:
            stored = stores.find_pool(pool)
            yield from self._section(plan_settings(operations.pools, pool, stored, document["settings"]))
        if "limits" in document:
            limits = stores.limits.all(pool)
            yield from self._section(plan_limits(operations.limits, pool, limits, document["limits"]))
        prices = document.get("prices", {})
        yield from self._section(plan_prices(operations.prices, stores.prices, pool, prices, self.errors))

    def _plan_callers(
        self, document: Mapping[str, Any], accounts: KnownAccounts, teams: Collection[str]
    ) -> Iterator[PlannedChange]:
        """Yield the changes of what names *accounts* or *teams*: model routes, teams and keys."""
        pool, operations, stores, errors = self.pool, self.operations, self.stores, self.errors
        names = stores.accounts.names_by_id(pool)
        route_planner = RoutePlanner(operations.routes, stores.routes, names, pool)
        yield from self._section(route_planner.plan(document.get("models", {}), accounts, errors))
        stored = {team.name: team for team in stores.teams.all(pool)}
        team_planner = TeamPlanner(operations.teams, operations.limits, pool)
        yield from self._section(team_planner.plan(document.get("teams", ()), stored, errors))
        known = Known(accounts, {*stored, *teams})
        key_planner = KeyPlanner(operations.api_keys, operations.limits, stores.api_keys, names, pool)
        yield from self._section(key_planner.plan(document.get("keys", ()), known, errors))

    def _plan_webhooks(self, entries: Sequence[Mapping[str, Any] | None]) -> Iterator[PlannedChange]:
        stored = {webhook.name: webhook for webhook in self.stores.webhooks.all(self.pool)}
        planner = WebhookPlanner(self.operations.webhooks, self.pool, self.variables)
        yield from self._section(planner.plan(entries, stored, self.errors))
