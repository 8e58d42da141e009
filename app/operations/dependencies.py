"""What operators work with: the existing books, and those of the office itself."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.accounts import AccountRepository
from app.accounts.credentials import CredentialRepository
from app.accounts.pools import PoolRepository
from app.accounts.token_refresh import TokenRefresher
from app.config import Settings
from app.limits.price_overrides import PriceRepository
from app.operations.login_flows import LoginFlowRepository
from app.operators.audit import AuditLog
from app.stores.api_keys import ApiKeyRepository
from app.stores.limits import LimitRepository
from app.stores.upstream_metadata import UpstreamMetadataStore
from app.upstream.client import UpstreamClient
from app.upstream.oauth import OAuth


@dataclass(frozen=True, slots=True)
class Dependencies:
    settings: Settings
    pools: PoolRepository
    accounts: AccountRepository
    sign_ins: CredentialRepository
    api_keys: ApiKeyRepository
    limits: LimitRepository
    prices: PriceRepository
    refresher: TokenRefresher
    upstream: UpstreamClient
    oauth: OAuth
    flows: LoginFlowRepository
    audit: AuditLog
    told: UpstreamMetadataStore
