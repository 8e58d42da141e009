"""What operators work with: the existing books, and those of the office itself."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.accounts import AccountBook
from app.accounts.credentials import SignInBook
from app.accounts.pools import PoolBook
from app.accounts.token_refresh import TokenRefresher
from app.config import Settings
from app.limits.api_keys import KeyBook
from app.limits.limits import LimitBook
from app.limits.price_overrides import PriceBook
from app.operations.login_flows import FlowBook
from app.operators.audit import AuditBook
from app.stores.upstream_metadata import ToldStore
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
