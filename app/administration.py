"""Construct the operations of an actor: an operator, the holder of a key, or a command."""

from __future__ import annotations

from app.operations.account_import import AccountImport
from app.operations.account_references import ReferenceReader
from app.operations.accounts import AccountOperations
from app.operations.api_keys import ApiKeyOperations
from app.operations.audit_trail import AuditTrail
from app.operations.external_sign_in import ExternalSignIn
from app.operations.limits import LimitOperations
from app.operations.model_routes import ModelRouteOperations
from app.operations.operators import OperatorOperations
from app.operations.pools import PoolOperations
from app.operations.prices import PriceOperations
from app.operations.service import AdminOperations
from app.operations.setup.plan import SetupStores
from app.operations.sign_ins import SignInOperations, SignInStores
from app.operations.teams import TeamOperations
from app.operations.unpriced_models import ModelStores
from app.operations.webhooks import WebhookOperations
from app.operators.role_rules import RoleRules
from app.stores.records.audit import Actor
from app.wiring import Services


def operations(services: Services, actor: Actor) -> AdminOperations:
    """Return the changes that *actor* may make, each recorded under that actor's name."""
    audit = AuditTrail(services.audit, actor, services.pools)
    accounts = AccountOperations(
        audit,
        services.accounts,
        services.settings,
        services.upstream.lister,
        services.upstream.checker,
        ReferenceReader(services.routes, services.api_keys),
    )
    models = ModelStores(services.accounts, services.routes, services.prices)
    sign_in_stores = SignInStores(services.accounts, services.credentials, services.sign_in_flows)
    sign_ins = SignInOperations(audit, accounts, sign_in_stores, services.upstream.oauth, services.settings)
    return AdminOperations(
        account_import=AccountImport(accounts, sign_ins, services.accounts),
        accounts=accounts,
        api_keys=ApiKeyOperations(audit, services.api_keys, services.teams, models),
        limits=LimitOperations(
            audit,
            services.limits,
            services.api_keys,
            services.teams,
            models,
        ),
        pools=PoolOperations(audit, services.pools),
        prices=PriceOperations(audit, services.prices),
        routes=ModelRouteOperations(audit, services.routes, services.accounts),
        sign_ins=sign_ins,
        teams=TeamOperations(audit, services.teams, models),
        webhooks=WebhookOperations(
            audit,
            services.alerting.webhooks,
            services.alerting.alerts,
            services.alerting.client,
            services.clock,
        ),
    )


def setup_stores(services: Services) -> SetupStores:
    """Return the repositories that a declarative set-up is compared with."""
    return SetupStores(
        services.settings,
        services.pools,
        services.accounts,
        services.api_keys,
        services.limits,
        services.prices,
        services.routes,
        services.teams,
        services.alerting.webhooks,
    )


def external_sign_in(services: Services, address: str) -> ExternalSignIn:
    """Return the sign-in for people whom another service has verified, for requests from *address*."""
    rules = RoleRules.of(services.settings.sign_in)
    return ExternalSignIn(services.operator_stores, services.audit, rules, address)


def operator_operations(services: Services, actor: Actor) -> OperatorOperations:
    """Return the changes of operators, sessions and admin tokens that *actor* may make."""
    return OperatorOperations(services.operator_stores, services.audit, actor)
