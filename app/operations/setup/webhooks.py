"""The webhooks of a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.operations.setup.changes import HIDDEN, PlannedChange, planned
from app.operations.setup.errors import DocumentErrors, errors_at, numbered
from app.operations.setup.secrets import Variables
from app.operations.webhooks import WebhookOperations
from app.stores.records.webhooks import Webhook
from schemas.webhooks import WEBHOOK_CHANGE, WEBHOOK_INPUT

URL, SECRET = "url", "secret"
PUBLIC = ("format", "on", "private", "remind_hours")

Entry = Mapping[str, Any]


def webhook_entry(webhook: Webhook) -> dict[str, Any]:
    """Return *webhook*, without its secrets, as the entry of a document."""
    return {
        "format": str(webhook.format),
        "on": sorted(map(str, webhook.on)),
        "private": webhook.private,
        "remind_hours": webhook.remind_hours,
    }


class WebhookPlanner:
    """Plans changes of webhooks, whose URLs and secrets are never shown."""

    def __init__(self, operations: WebhookOperations, pool: str, variables: Variables) -> None:
        self._operations = operations
        self._pool = pool
        self._variables = variables

    def plan(
        self, entries: Sequence[Entry | None], stored: Mapping[str, Webhook], errors: DocumentErrors
    ) -> Iterator[PlannedChange]:
        """
        Yield the change of each of *entries*, and add to *errors*; *stored* are the pool's webhooks by name.
        """
        for path, entry in numbered("webhooks", entries):
            with errors.collect(), errors_at(path):
                webhook = stored.get(entry["name"])
                if webhook is None:
                    yield self._plan_new(entry, path)
                else:
                    yield self._plan_change(webhook, entry)

    def _plan_new(self, entry: Entry, path: str) -> PlannedChange:
        fields = _public(entry)
        is_missing = False
        for name in (URL, SECRET):
            variable = entry.get(f"{name}_env")
            value = self._variables.require(variable, f"{path}.{name}_env") if variable else entry.get(name)
            if value:
                fields[name] = value
            is_missing = is_missing or (variable is not None and not value)
        if not is_missing:
            WEBHOOK_INPUT.load({"name": entry["name"], **fields})
        after = {**_sorted(_public(entry)), **{name: HIDDEN for name in (URL, SECRET) if name in fields}}

        def apply() -> str:
            added = self._operations.add(self._pool, {"name": entry["name"], **fields})
            return "" if SECRET in fields else added.secret

        return planned("webhooks", entry["name"], None, after, apply)

    def _plan_change(self, webhook: Webhook, entry: Entry) -> PlannedChange:
        before = webhook_entry(webhook)
        after = _sorted(_public(entry))
        changes = {name: value for name, value in after.items() if value != before[name]}
        unset = []
        for name, current in ((URL, webhook.url), (SECRET, webhook.secret)):
            variable = entry.get(f"{name}_env", "")
            value = self._variables.find(variable) if variable else entry.get(name, "")
            if variable and not value:
                unset.append(f"{variable} is not set, so the stored {name} stays")
            elif value and value != current:
                changes[name], after[name] = value, HIDDEN
        WEBHOOK_CHANGE.load(changes)

        def apply() -> str:
            self._operations.change(self._pool, webhook.name, changes)
            return ""

        return planned("webhooks", webhook.name, before, after, apply, notes=tuple(unset))


def _public(entry: Entry) -> dict[str, Any]:
    return {name: entry[name] for name in PUBLIC if name in entry}


def _sorted(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: sorted(set(value)) if name == "on" else value for name, value in fields.items()}
