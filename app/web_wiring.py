"""Construct the services of a web process: those of every process, and those for requests and pages."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from app.accounts.known_models import KnownModels
from app.accounts.snapshot import read_current_accounts
from app.config import Settings
from app.operations.live_feed import FeedSource, LiveFeeds
from app.operations.readiness import Readiness
from app.relay.active_requests import ActiveRequests
from app.relay.context import RequestContext
from app.relay.fallbacks import FallbackChain
from app.relay.lost_replies import LostReplies
from app.relay.recordings import Recordings
from app.relay.relay import Relay, RelayServices
from app.relay.response_cache import ResponseCache
from app.stores.admissions import AdmissionRepository
from app.stores.cached_responses import CachedResponseRepository
from app.stores.health import HealthRepository
from app.stores.recordings import RecordingRepository
from app.tracing import Tracing
from app.upstream.oidc import OidcHttp
from app.upstream.websocket_transport import WebSocketTransport
from app.websocket.registry import WebSockets
from app.wiring import Services, build

if TYPE_CHECKING:
    from app.operators.oidc import OidcClient


@dataclass(frozen=True, slots=True)
class WebServices(Services):
    """What a web process uses, constructed once by `build_web`."""

    relay: Relay
    active: ActiveRequests
    lost_replies: LostReplies
    cache: ResponseCache
    recordings: Recordings | None  # None: the header Idempotency-Key is ignored
    oidc: OidcClient | None  # None: no OpenID Connect issuer is set
    feeds: LiveFeeds
    websockets: WebSockets
    readiness: Readiness
    tracing: Tracing | None
    demo: bool  # whether demo accounts answer: only under `poolgate up --demo`

    def serve(self, context: RequestContext) -> FallbackChain:
        """Return the response to *context*, over its model and fallbacks; nothing is sent yet."""
        return FallbackChain(context, self.relay.stream, self.relay.start_progress(context), self.cache)


def build_web(settings: Settings, *, demo: bool = False, tracing: Tracing | None = None) -> WebServices:
    """Construct everything from *settings*; nothing connects yet."""
    shared = build(settings)
    scripts = shared.scripts
    shared.upstream.client.use_websockets(WebSocketTransport())
    relay_services = _build_relay_services(shared, demo=demo)
    return WebServices(
        **{field.name: getattr(shared, field.name) for field in fields(shared)},
        relay=Relay(settings, relay_services, demo=demo),
        active=relay_services.active,
        lost_replies=relay_services.lost_replies,
        cache=ResponseCache(CachedResponseRepository(scripts, shared.vault)),
        recordings=_build_recordings(shared, relay_services.lost_replies),
        oidc=_build_oidc(settings),
        feeds=LiveFeeds(FeedSource(shared.ledger.entries, lambda pool: read_current_accounts(scripts, pool))),
        websockets=WebSockets(settings),
        readiness=Readiness(shared.pools, HealthRepository(scripts), shared.vault),
        tracing=tracing,
        demo=demo,
    )


def _build_relay_services(shared: Services, *, demo: bool) -> RelayServices:
    settings, admissions = shared.settings, AdmissionRepository(shared.scripts)
    active = ActiveRequests(
        admissions, ttl_seconds=settings.lease_ttl_seconds, renew_seconds=settings.lease_renew_seconds
    )
    return RelayServices(
        admissions,
        shared.accounts,
        KnownModels(shared.scripts, demo=demo),
        shared.upstream.client,
        active,
        shared.ledger.settlements,
        shared.prices,
        shared.upstream.refresher,
        LostReplies(),
    )


def _build_recordings(shared: Services, lost_replies: LostReplies) -> Recordings | None:
    settings = shared.settings
    if settings.idempotency == "off":
        return None
    lease_seconds = settings.lease_ttl_seconds
    return Recordings(
        RecordingRepository(shared.scripts, shared.vault, lease_seconds, settings.max_recorded_bytes),
        lost_replies,
        lease_seconds=lease_seconds,
        renew_seconds=settings.lease_renew_seconds,
    )


def _build_oidc(settings: Settings) -> OidcClient | None:
    if not settings.sign_in.oidc_issuer:
        return None
    from app.operators.oidc import OidcClient  # imported only if used: authlib takes 0.1 s and memory

    return OidcClient(settings.sign_in, OidcHttp(user_agent=settings.user_agent))
