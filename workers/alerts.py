"""Finds the alerts that hold in each pool, and queues messages for the pool's webhooks."""

from __future__ import annotations

import structlog

from app.errors import StoreUnavailable
from app.stores.records.webhooks import AlertKind
from app.wiring import Services

log = structlog.get_logger()

EVERY_SECONDS = 30.0


def run(services: Services, now: float) -> None:
    """Queue a message to each webhook for which an alert has changed; by the store's clock."""
    for pool in services.pools.names():
        try:
            _queue_changes(services, pool)
        except StoreUnavailable:
            raise
        except Exception:  # a failure in one pool must not affect the others
            log.exception("alerts_failed", pool=pool)


def _queue_changes(services: Services, pool: str) -> None:
    webhooks = [webhook for webhook in services.alerting.webhooks.all(pool) if webhook.is_readable]
    if not webhooks:
        return
    alerts = services.alerting.conditions.current(pool, {kind for each in webhooks for kind in each.on})
    for webhook in webhooks:
        kinds = [kind for kind in webhook.on if kind is not AlertKind.STORE]  # see workers/store_watch.py
        own = [alert for alert in alerts if alert.kind in kinds]
        if count := services.alerting.alerts.change(pool, webhook, own, kinds):
            log.info("alerts_changed", pool=pool, webhook=webhook.name, changes=count)
