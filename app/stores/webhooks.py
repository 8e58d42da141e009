"""The webhooks of pools, in Redis; each is one encrypted value."""

from __future__ import annotations

from app.errors import InvalidRequest, NotFound
from app.stores import keys
from app.stores.known_names import suggest_field
from app.stores.records.webhooks import Webhook, read_webhook, write_webhook
from app.stores.scripts import Scripts
from app.stores.secrets import UnreadableSecret, Vault
from schemas.bounds import MAX_WEBHOOKS


class WebhookRepository:
    """Webhooks by pool and name."""

    def __init__(self, scripts: Scripts, vault: Vault) -> None:
        self._client = scripts.client
        self._vault = vault

    def all(self, pool: str) -> list[Webhook]:
        """Return the webhooks of *pool* by name, including those that cannot be decrypted. One round trip."""
        stored = self._client.hgetall(keys.webhooks(pool))
        return [self._read(name, text) for name, text in sorted(stored.items())]

    def find(self, pool: str, name: str) -> Webhook:
        """Return the webhook *name*. Raises NotFound."""
        text = self._client.hget(keys.webhooks(pool), name)
        if text is None:
            similar = suggest_field(self._client, keys.webhooks(pool), name)
            raise NotFound(f"There is no webhook named '{name[:64]}' in pool '{pool}'{similar}", param="name")
        return self._read(name, text)

    def add(self, pool: str, webhook: Webhook) -> None:
        """Store a new webhook. Raises InvalidRequest when its name is taken, and for too many."""
        key = keys.webhooks(pool)
        if self._client.hlen(key) >= MAX_WEBHOOKS:
            raise InvalidRequest(f"A pool has at most {MAX_WEBHOOKS} webhooks", param="name")
        if not self._client.hsetnx(key, webhook.name, self._seal(webhook)):
            raise InvalidRequest(f"A webhook named '{webhook.name}' exists in pool '{pool}'", param="name")

    def put(self, pool: str, webhook: Webhook) -> None:
        """Replace a webhook."""
        self._client.hset(keys.webhooks(pool), webhook.name, self._seal(webhook))

    def remove(self, pool: str, name: str) -> None:
        """Remove a webhook, its open alerts and its messages."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hdel(keys.webhooks(pool), name)
        pipeline.delete(keys.alerts(pool, name), keys.alert_messages(pool, name))
        pipeline.delete(keys.alert_deliveries(pool, name), keys.job_claim(pool, "alerts", name))
        pipeline.execute()

    def _seal(self, webhook: Webhook) -> str:
        return self._vault.seal(write_webhook(webhook))

    def _read(self, name: str, text: str) -> Webhook:
        try:
            return read_webhook(name, self._vault.open(text))
        except UnreadableSecret:
            return Webhook(name, "", is_readable=False)
