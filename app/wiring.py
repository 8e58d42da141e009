"""The one place that constructs: web, worker and command line all start here."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.accounts import AccountBook
from app.accounts.chatgpt_identity import KnownAccounts
from app.accounts.credentials import SignInBook
from app.accounts.pools import PoolBook
from app.accounts.token_refresh import TokenRefresher
from app.config import Settings
from app.ledger.dead_letters import DeadLetters
from app.ledger.refusal_log import RefusalLog
from app.ledger.refusals import RefusalBook
from app.ledger.retention import Retention
from app.ledger.series import SeriesBook
from app.ledger.settlements import Books
from app.ledger.spool import Spool
from app.ledger.usage import UsageBook
from app.limits.api_keys import KeyBook
from app.limits.limits import LimitBook
from app.limits.price_overrides import PriceBook
from app.operations.dependencies import Parts
from app.operations.live_feed import Feeds
from app.operations.login_flows import FlowBook
from app.operations.operators import Keeper
from app.operations.readiness import Readiness
from app.operations.service import Desk
from app.operators.actor import Actor
from app.operators.audit import AuditBook
from app.operators.stores import Doors, doors_of
from app.relay.active_requests import ActiveCalls
from app.relay.context import Call
from app.relay.fallbacks import Answering
from app.relay.relay import Relay
from app.relay.response_cache import AnswerCache
from app.stores import private_server
from app.stores.answers import AnswerStore
from app.stores.client import make_client
from app.stores.scripts import Scripts
from app.stores.secrets import Vault, keys_in_file
from app.stores.upstream_metadata import ToldStore
from app.tracing import Tracing
from app.upstream.client import UpstreamClient
from app.upstream.oauth import OAuth


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    scripts: Scripts
    vault: Vault
    pools: PoolBook
    accounts: AccountBook
    sign_ins: SignInBook
    api_keys: KeyBook
    upstream: UpstreamClient
    oauth: OAuth
    refresher: TokenRefresher
    active: ActiveCalls
    books: Books
    prices: PriceBook
    limits: LimitBook
    usage: UsageBook
    refusal_log: RefusalLog
    refusals: RefusalBook
    retention: Retention
    series: SeriesBook
    known_accounts: KnownAccounts
    told: ToldStore
    relay: Relay
    cache: AnswerCache
    audit: AuditBook
    feeds: Feeds
    doors: Doors
    office: Parts
    readiness: Readiness
    tracing: Tracing | None
    demo: bool  # whether demo accounts answer: only under `poolgate up --demo`

    def answering(self, call: Call) -> Answering:
        return Answering(call, self.relay.stream, self.relay.context(call), self.cache)

    def desk(self, actor: Actor) -> Desk:
        """Return what *actor* may change things through."""
        return Desk(self.office, actor)

    def keeper(self, actor: Actor) -> Keeper:
        """Return what *actor* may change who comes in through."""
        return Keeper(self.doors, self.audit, actor)


def build(
    settings: Settings,
    *,
    demo: bool = False,
    tracing: Tracing | None = None,
    store_timeout_seconds: float | None = None,
) -> Services:
    """
    Construct everything from *settings*; nothing connects yet.

    *store_timeout_seconds* is for one command to the store, where that differs from a request's.
    """
    url = settings.redis_url or private_server.url(settings.home)
    scripts = Scripts(make_client(url, store_timeout_seconds or settings.store_timeout_seconds))
    vault = Vault(settings.secret_keys or keys_in_file(settings.home / "secret.key"))
    pools, accounts = PoolBook(scripts), AccountBook(scripts, vault)
    upstream = UpstreamClient(
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
    sign_ins = SignInBook(scripts, accounts)
    active = ActiveCalls(
        scripts, ttl_seconds=settings.lease_ttl_seconds, renew_seconds=settings.lease_renew_seconds
    )
    books = Books(scripts, Spool(settings.home / "spool"), DeadLetters(settings.home))
    prices = PriceBook(scripts)
    refresher = TokenRefresher(sign_ins, accounts, oauth.refresh)
    api_keys, limits, audit = KeyBook(scripts), LimitBook(scripts), AuditBook(scripts)
    told = ToldStore(scripts)
    office = Parts(
        settings=settings,
        pools=pools,
        accounts=accounts,
        sign_ins=sign_ins,
        api_keys=api_keys,
        limits=limits,
        prices=prices,
        refresher=refresher,
        upstream=upstream,
        oauth=oauth,
        flows=FlowBook(scripts, vault),
        audit=audit,
        told=told,
    )
    return Services(
        settings=settings,
        scripts=scripts,
        vault=vault,
        pools=pools,
        accounts=accounts,
        sign_ins=sign_ins,
        api_keys=api_keys,
        upstream=upstream,
        oauth=oauth,
        refresher=refresher,
        active=active,
        books=books,
        prices=prices,
        limits=limits,
        usage=UsageBook(scripts),
        refusal_log=RefusalLog(scripts),
        refusals=RefusalBook(scripts.client),
        retention=Retention(scripts),
        series=SeriesBook(scripts),
        known_accounts=KnownAccounts(
            pools, accounts, lambda account, token: upstream.get_json(account, "/wham/usage", token=token)
        ),
        told=told,
        relay=Relay(settings, scripts, accounts, upstream, active, books, prices, refresher, demo=demo),
        cache=AnswerCache(AnswerStore(scripts, vault)),
        audit=audit,
        feeds=Feeds(scripts.client),
        doors=doors_of(scripts, vault),
        office=office,
        readiness=Readiness(pools, scripts.client, vault),
        tracing=tracing,
        demo=demo,
    )
