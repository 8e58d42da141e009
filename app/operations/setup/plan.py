"""Plan the changes that make a pool match a document."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
    try:
        document = SetupDocument(KIND_RULES | SIMULATED_RULES).load(content)
    except ValidationError as error:
        errors = DocumentErrors()
        for path, message in all_error_paths(error):
            text = f"{path} {message}" if path else "must be a mapping of sections, such as accounts and keys"
            errors.add(InvalidRequest(text, param=path or None))
        raise errors.joined() from None
    variables = Variables(secrets)
    changes = _plan(document, pool, operations, stores, variables, coming)
    return SetupPlan(changes, variables.named, variables.missing)


def _plan(
    document: Mapping[str, Any],
    pool: str,
    operations: AdminOperations,
    stores: SetupStores,
    variables: Variables,
    coming: Collection[str],
) -> Sequence[PlannedChange]:
    errors = DocumentErrors()
    names = stores.accounts.names_by_id(pool)
    accounts = document.get("accounts", ())
    changes: list[PlannedChange] = []
    if "settings" in document:
        with errors.collect():
            changes += plan_settings(operations.pools, pool, stores.find_pool(pool), document["settings"])
    if "limits" in document:
        with errors.collect():
            changes += plan_limits(operations.limits, pool, stores.limits.all(pool), document["limits"])
    with errors.collect():
        changes += plan_prices(operations.prices, stores.prices, pool, document.get("prices", {}))
    account_planner = AccountPlanner(operations.accounts, stores.accounts, stores.settings, pool)
    account_changes: list[PlannedChange] = []
    with errors.collect():
        account_changes += account_planner.plan(accounts, variables)
    changes += account_changes
    absent = {change.name for change in account_changes if change.action is Action.SKIPPED}
    present = {*names.values(), *coming, *(entry["name"] for entry in accounts)} - absent
    known = KnownAccounts(present, absent)
    webhooks = {webhook.name: webhook for webhook in stores.webhooks.all(pool)}
    webhook_planner = WebhookPlanner(operations.webhooks, pool, variables)
    webhook_changes: list[PlannedChange] = []
    with errors.collect():
        webhook_changes += webhook_planner.plan(document.get("webhooks", ()), webhooks)
    route_planner = RoutePlanner(operations.routes, stores.routes, names, pool)
    with errors.collect():
        changes += route_planner.plan(document.get("models", {}), known)
    teams = {team.name: team for team in stores.teams.all(pool)}
    entries = document.get("teams", ())
    with errors.collect():
        changes += TeamPlanner(operations.teams, operations.limits, pool).plan(entries, teams)
    known_names = Known(known, {*teams, *(entry["name"] for entry in entries)})
    key_planner = KeyPlanner(operations.api_keys, operations.limits, stores.api_keys, names, pool)
    with errors.collect():
        changes += key_planner.plan(document.get("keys", ()), known_names)
    if errors:
        raise errors.joined()
    return changes + webhook_changes
