"""The stores that the checks of pools read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.accounts.model_routes import PoolRoutes
from app.accounts.pools import PoolRepository
from app.backup.reseal import SealedCounts
from app.limits.pool_prices import PoolPrices
from app.stores.accounts import AccountHashes
from app.stores.alerts import AlertRepository
from app.stores.api_keys import ApiKeyRepository
from app.stores.health import HealthRepository
from app.stores.limits import LimitRepository
from app.stores.model_rests import ModelRestRepository
from app.stores.operators import OperatorRepository
from app.stores.refusals import RefusalRepository
from app.stores.secrets import Vault
from app.stores.sign_in_policy import SignInPolicyRepository
from app.stores.teams import TeamRepository
from app.stores.usage import UsageRepository
from app.stores.webhooks import WebhookRepository


@dataclass(frozen=True, slots=True)
class CheckStores:
    health: HealthRepository
    vault: Vault
    pools: PoolRepository
    accounts: AccountHashes
    model_rests: ModelRestRepository
    api_keys: ApiKeyRepository
    limits: LimitRepository
    teams: TeamRepository
    prices: PoolPrices
    routes: PoolRoutes
    usage: UsageRepository
    refusals: RefusalRepository
    webhooks: WebhookRepository
    alerts: AlertRepository
    operators: OperatorRepository
    sign_in_policy: SignInPolicyRepository
    count_sealed: Callable[[], SealedCounts]  # reads the whole store
