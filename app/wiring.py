"""
Construct the services of a process: web, worker and command line all start here.

What only web processes use is in `app/web_wiring.py`, so that commands and jobs do not import it.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.accounts import AccountRepository
from app.accounts.chatgpt_identity import KnownAccounts
from app.accounts.credentials import CredentialRepository
from app.accounts.kinds import SCRIPT_KINDS
from app.accounts.model_routes import PoolRoutes
from app.accounts.pools import PoolRepository
from app.accounts.token_refresh import TokenRefresher
from app.backup.reseal import Reseal
from app.config import Settings
from app.ledger.dead_letters import DeadLetters
from app.ledger.explain import RequestExplainer
from app.ledger.index import LedgerIndex
from app.ledger.refusal_log import RefusalLog
from app.ledger.retention import Retention
from app.ledger.search import LedgerSearch
from app.ledger.series import UsageSeries
from app.ledger.settlements import SettlementWriter
from app.ledger.spool import Spool
from app.limits.pool_prices import PoolPrices
from app.operations.account_check import AccountChecker
from app.operations.alert_conditions import AlertConditions
from app.operations.alert_delivery import AlertDelivery
from app.operations.check_stores import CheckStores
from app.operations.doctor import Doctor
from app.operations.first_listing import AccountLister
from app.operations.upstream_lists import UpstreamLists
from app.operators.role_rules import RoleRules
from app.operators.stores import OperatorStores
from app.stores import private_server
from app.stores.accounts import AccountHashes
from app.stores.alerts import AlertRepository
from app.stores.api_keys import ApiKeyRepository
from app.stores.audit import AuditLog
from app.stores.client import make_client
from app.stores.health import HealthRepository
from app.stores.key_sessions import KeySessionRepository
from app.stores.ledger import LedgerRepository
from app.stores.ledger_index import LedgerIndexRepository
from app.stores.limits import LimitRepository
from app.stores.model_rests import ModelRestRepository
from app.stores.model_routes import ModelRouteRepository
from app.stores.operators import OperatorRepository
from app.stores.pool_clock import PoolClock
from app.stores.prices import PriceRepository
from app.stores.refusals import RefusalRepository
from app.stores.scripts import Scripts
from app.stores.secrets import Vault, keys_in_file
from app.stores.settlements import SettlementRepository
from app.stores.sign_in_flows import SignInFlowRepository
from app.stores.sign_in_policy import SignInPolicyRepository
from app.stores.teams import TeamRepository
from app.stores.upstream_metadata import UpstreamMetadataRepository
from app.stores.usage import UsageRepository
from app.stores.webhooks import WebhookRepository
from app.upstream.client import UpstreamClient
from app.upstream.oauth import OAuth
from app.upstream.webhooks import WebhookClient


@dataclass(frozen=True, slots=True)
class LedgerServices:
    """Ledger entries: written by settlements and refusals, read by usage and series."""

    settlements: SettlementWriter
    usage: UsageRepository
    series: UsageSeries
    entries: LedgerRepository
    index: LedgerIndex
    search: LedgerSearch
    explainer: RequestExplainer
    refusals: RefusalRepository
    refusal_log: RefusalLog
    retention: Retention


@dataclass(frozen=True, slots=True)
class UpstreamServices:
    """The upstreams of accounts, and what they report."""

    client: UpstreamClient
    oauth: OAuth
    refresher: TokenRefresher
    known_accounts: KnownAccounts
    metadata: UpstreamMetadataRepository
    lists: UpstreamLists
    lister: AccountLister
    checker: AccountChecker


@dataclass(frozen=True, slots=True)
class AlertingServices:
    """Alerts: which hold, the webhooks that they are sent to, and their delivery."""

    webhooks: WebhookRepository
    alerts: AlertRepository
    client: WebhookClient
    conditions: AlertConditions
    delivery: AlertDelivery


@dataclass(frozen=True, slots=True)
class Services:
    """What every process uses, constructed once by `build`."""

    settings: Settings
    scripts: Scripts
    vault: Vault
    pools: PoolRepository
    accounts: AccountRepository
    model_rests: ModelRestRepository
    credentials: CredentialRepository
    api_keys: ApiKeyRepository
    key_sessions: KeySessionRepository
    limits: LimitRepository
    teams: TeamRepository
    clock: PoolClock
    prices: PoolPrices
    routes: PoolRoutes
    ledger: LedgerServices
    upstream: UpstreamServices
    alerting: AlertingServices
    operator_stores: OperatorStores
    audit: AuditLog
    sign_in_flows: SignInFlowRepository
    doctor: Doctor


def build(settings: Settings, *, store_timeout_seconds: float | None = None) -> Services:
    """
    Construct everything from *settings*; nothing connects yet.

    *store_timeout_seconds* is the timeout of one store command, if it differs from the setting.
    """
    stores = _build_stores(settings, store_timeout_seconds or settings.store_timeout_seconds)
    scripts = stores.scripts
    upstream, ledger = _build_upstream(settings, stores), _build_ledger(settings, stores)
    check_stores = _build_check_stores(stores, ledger)
    return Services(
        settings=settings,
        scripts=scripts,
        vault=stores.vault,
        pools=stores.pools,
        accounts=stores.accounts,
        model_rests=stores.model_rests,
        credentials=stores.credentials,
        api_keys=stores.api_keys,
        key_sessions=KeySessionRepository(scripts),
        limits=stores.limits,
        teams=stores.teams,
        prices=stores.prices,
        routes=stores.routes,
        clock=PoolClock(scripts),
        ledger=ledger,
        upstream=upstream,
        alerting=_build_alerting(settings, check_stores, ledger),
        operator_stores=OperatorStores.build(scripts, stores.vault, RoleRules.of(settings.sign_in)),
        audit=AuditLog(scripts),
        sign_in_flows=SignInFlowRepository(scripts, stores.vault),
        doctor=Doctor(settings, check_stores),
    )


@dataclass(frozen=True, slots=True)
class _Stores:
    """The repositories that the other services share."""

    scripts: Scripts
    vault: Vault
    pools: PoolRepository
    accounts: AccountRepository
    model_rests: ModelRestRepository
    credentials: CredentialRepository
    api_keys: ApiKeyRepository
    limits: LimitRepository
    teams: TeamRepository
    prices: PoolPrices
    routes: PoolRoutes


def _build_stores(settings: Settings, timeout_seconds: float) -> _Stores:
    client = make_client(settings.redis_url or private_server.url(settings.home), timeout_seconds)
    scripts = Scripts(client, kinds=SCRIPT_KINDS)
    vault = Vault(settings.secret_keys or keys_in_file(settings.home / "secret.key"))
    accounts = AccountRepository(scripts, vault)
    return _Stores(
        scripts=scripts,
        vault=vault,
        pools=PoolRepository(scripts),
        accounts=accounts,
        model_rests=ModelRestRepository(scripts),
        credentials=CredentialRepository(scripts, accounts),
        api_keys=ApiKeyRepository(scripts),
        limits=LimitRepository(scripts),
        teams=TeamRepository(scripts),
        prices=PoolPrices(PriceRepository(scripts)),
        routes=PoolRoutes(ModelRouteRepository(scripts), AccountHashes(scripts)),
    )


def _build_check_stores(stores: _Stores, ledger: LedgerServices) -> CheckStores:
    return CheckStores(
        health=HealthRepository(stores.scripts),
        accounts=AccountHashes(stores.scripts),
        model_rests=stores.model_rests,
        vault=stores.vault,
        pools=stores.pools,
        api_keys=stores.api_keys,
        limits=stores.limits,
        teams=stores.teams,
        prices=stores.prices,
        routes=stores.routes,
        usage=ledger.usage,
        refusals=ledger.refusals,
        webhooks=WebhookRepository(stores.scripts, stores.vault),
        alerts=AlertRepository(stores.scripts),
        operators=OperatorRepository(stores.scripts, stores.vault),
        sign_in_policy=SignInPolicyRepository(stores.scripts),
        count_sealed=lambda: Reseal(stores.scripts, stores.vault, stores.pools.names()).count(),
    )


def _build_alerting(
    settings: Settings, check_stores: CheckStores, ledger: LedgerServices
) -> AlertingServices:
    client = WebhookClient(user_agent=settings.user_agent)
    return AlertingServices(
        webhooks=check_stores.webhooks,
        alerts=check_stores.alerts,
        client=client,
        conditions=AlertConditions(check_stores, ledger.series),
        delivery=AlertDelivery(check_stores.alerts, client),
    )


def _build_ledger(settings: Settings, stores: _Stores) -> LedgerServices:
    scripts = stores.scripts
    entries, refusals = LedgerRepository(scripts), RefusalRepository(scripts)
    index = LedgerIndex(entries, LedgerIndexRepository(scripts))
    spool, dead_letters = Spool(settings.home / "spool"), DeadLetters(settings.home)
    return LedgerServices(
        settlements=SettlementWriter(SettlementRepository(scripts), spool, dead_letters),
        usage=UsageRepository(scripts),
        series=UsageSeries(scripts),
        entries=entries,
        index=index,
        search=LedgerSearch(entries, refusals, index),
        explainer=RequestExplainer(
            entries,
            index,
            refusals,
            stores.accounts.names_by_id,
            stores.api_keys.name_of,
            stores.api_keys.former_names,
        ),
        refusals=refusals,
        refusal_log=RefusalLog(refusals),
        retention=Retention(entries),
    )


def _build_upstream(settings: Settings, stores: _Stores) -> UpstreamServices:
    accounts = stores.accounts
    client = UpstreamClient(
        connect_timeout_seconds=settings.limits.connect,
        originator=settings.originator,
        user_agent=settings.user_agent,
    )
    oauth = OAuth(
        settings.oauth_issuer,
        connect_timeout_seconds=settings.limits.connect,
        originator=settings.originator,
        user_agent=settings.user_agent,
    )
    refresher = TokenRefresher(stores.credentials, oauth.refresh)
    metadata = UpstreamMetadataRepository(stores.scripts)
    lists = UpstreamLists(accounts, metadata)
    return UpstreamServices(
        client=client,
        oauth=oauth,
        refresher=refresher,
        known_accounts=KnownAccounts(
            stores.pools,
            accounts,
            lambda account, token: client.get_json(account, "/wham/usage", token=token),
        ),
        metadata=metadata,
        lists=lists,
        lister=AccountLister(client, accounts, lists),
        checker=AccountChecker(client, refresher),
    )
