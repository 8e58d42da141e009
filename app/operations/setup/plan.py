"""Plan what makes a pool as a document describes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.accounts.accounts import AccountRepository
from app.accounts.model_routes import PoolRoutes
from app.accounts.pools import Pool, PoolRepository
from app.config import Settings
from app.limits.pool_prices import PoolPrices
from app.operations.service import AdminOperations
from app.operations.setup.accounts import AccountPlanner
from app.operations.setup.changes import PlannedChange
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


@dataclass(frozen=True, slots=True)
class SetupStores:
    """What a plan compares a document with."""

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
        """Return the pool *name*, None where it does not exist yet."""
        return next((pool for pool in self.pools.all() if pool.name == name), None)


def plan_setup(
    document: Mapping[str, Any],
    pool: str,
    operations: AdminOperations,
    stores: SetupStores,
    environ: Mapping[str, str],
) -> Sequence[PlannedChange]:
    """
    Return the changes that make *pool* as *document*, a loaded SetupDocument, describes it, in order.

    Nothing is changed yet. *environ* has the secrets. Raises InvalidRequest with the path in the document.
    """
    variables = Variables(environ)
    names = stores.accounts.names_by_id(pool)
    accounts = document.get("accounts", ())
    known = {*names.values(), *(entry["name"] for entry in accounts)}
    changes: list[PlannedChange] = []
    if "settings" in document:
        changes += plan_settings(operations.pools, pool, stores.find_pool(pool), document["settings"])
    if "limits" in document:
        changes += plan_limits(operations.limits, pool, stores.limits.all(pool), document["limits"])
    changes += plan_prices(operations.prices, stores.prices, pool, document.get("prices", {}))
    account_planner = AccountPlanner(operations.accounts, stores.accounts, stores.settings, pool)
    changes += account_planner.plan(accounts, variables)
    webhooks = {webhook.name: webhook for webhook in stores.webhooks.all(pool)}
    webhook_planner = WebhookPlanner(operations.webhooks, pool, variables)
    webhook_changes = list(webhook_planner.plan(document.get("webhooks", ()), webhooks))
    variables.check()
    route_planner = RoutePlanner(operations.routes, stores.routes, names, pool)
    changes += route_planner.plan(document.get("models", {}), known)
    teams = {team.name: team for team in stores.teams.all(pool)}
    entries = document.get("teams", ())
    changes += TeamPlanner(operations.teams, operations.limits, pool).plan(entries, teams)
    known_names = Known(known, {*teams, *(entry["name"] for entry in entries)})
    key_planner = KeyPlanner(operations.api_keys, operations.limits, stores.api_keys, names, pool)
    changes += key_planner.plan(document.get("keys", ()), known_names)
    return changes + webhook_changes
