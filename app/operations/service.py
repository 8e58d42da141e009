"""Every change that an operator can make, by noun."""

from __future__ import annotations

from dataclasses import dataclass

from app.operations.account_import import AccountImport
from app.operations.accounts import AccountOperations
from app.operations.api_keys import ApiKeyOperations
from app.operations.limits import LimitOperations
from app.operations.model_routes import ModelRouteOperations
from app.operations.pools import PoolOperations
from app.operations.prices import PriceOperations
from app.operations.sign_ins import SignInOperations
from app.operations.teams import TeamOperations
from app.operations.webhooks import WebhookOperations


@dataclass(frozen=True, slots=True)
class AdminOperations:
    """
    The changes of one actor, each recorded in the audit log.

    Arguments are fields of valid schemas, and plain names. A failure is an error of `app.errors`, and nothing
    has changed then. `administration.operations(services, actor)` returns the object.
    """

    account_import: AccountImport
    accounts: AccountOperations
    api_keys: ApiKeyOperations
    limits: LimitOperations
    pools: PoolOperations
    prices: PriceOperations
    routes: ModelRouteOperations
    sign_ins: SignInOperations
    teams: TeamOperations
    webhooks: WebhookOperations
