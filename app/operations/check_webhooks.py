"""Check the webhooks of a pool: whether they can be decrypted, and whether deliveries fail."""

from __future__ import annotations

from collections.abc import Iterator

from app.formatting import moment
from app.operations.check_stores import CheckStores
from app.operations.diagnostic import Diagnostic, Level, pool_option


def check_webhooks(stores: CheckStores, pool: str) -> Iterator[Diagnostic]:
    """Yield the webhooks of *pool* that receive nothing. Two round trips, or one if there are no webhooks."""
    webhooks = stores.webhooks.all(pool)
    statuses = stores.alerts.statuses(pool, [webhook.name for webhook in webhooks])
    for webhook in webhooks:
        name, option = webhook.name, pool_option(pool)
        status = statuses[name]
        if not webhook.is_readable:
            what = f"the webhook '{name}' was encrypted with another key"
            remedy = "put the former key back into POOLGATE_SECRET_KEYS, or "
            yield Diagnostic(Level.WRONG, pool, what, f"{remedy}poolgate alert set {name}{option} --url URL")
        elif status.error:
            what = f"the webhook '{name}' failed at {moment(status.failed_at)}: {status.error}"
            yield Diagnostic(Level.WRONG, pool, what, f"poolgate alert test {name}{option}")
