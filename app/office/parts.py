"""What operators work with: the existing books, and those of the office itself."""

from __future__ import annotations

from dataclasses import dataclass

from app.config import Settings
from app.office.audit import AuditBook
from app.office.flows import FlowBook
from app.pool.accounts import AccountBook
from app.pool.pools import PoolBook
from app.pool.refresh import TokenRefresher
from app.pool.sign_ins import SignInBook
from app.quotas.api_keys import KeyBook
from app.quotas.limit_book import LimitBook
from app.quotas.price_book import PriceBook
from app.stores.told import ToldStore
from app.upstream.client import UpstreamClient
from app.upstream.oauth import OAuth


@dataclass(frozen=True, slots=True)
class Parts:
    settings: Settings
    pools: PoolBook
    accounts: AccountBook
    sign_ins: SignInBook
    api_keys: KeyBook
    limits: LimitBook
    prices: PriceBook
    refresher: TokenRefresher
    upstream: UpstreamClient
    oauth: OAuth
    flows: FlowBook
    audit: AuditBook
    told: ToldStore
