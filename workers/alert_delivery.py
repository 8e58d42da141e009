"""Delivers the pending messages of webhooks: several webhooks in parallel, the messages of each in order."""

from __future__ import annotations

from itertools import groupby

from gevent.pool import Pool

from app.stores.records.webhooks import Webhook
from app.wiring import Services

EVERY_SECONDS = 5.0
MAX_CONCURRENT = 8


def run(services: Services, now: float) -> None:
    """Deliver the messages that are due, by the store's clock."""
    greenlets = Pool(MAX_CONCURRENT)
    waiting = services.alerting.alerts.names_with_messages(services.pools.names())
    for pool, places in groupby(waiting, lambda place: place[0]):
        names = {name for _, name in places}
        for webhook in services.alerting.webhooks.all(pool):
            if webhook.name in names:
                greenlets.spawn(_deliver, services, pool, webhook)
    greenlets.join(raise_error=True)


def _deliver(services: Services, pool: str, webhook: Webhook) -> None:
    services.alerting.delivery.deliver(pool, webhook, services.clock.now())
