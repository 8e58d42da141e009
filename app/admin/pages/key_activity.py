"""Recent activity of a key: its newest requests, their models, and the refusals of a day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.ledger.query import LedgerQuery
from app.ledger.ranges import Span
from app.presentation.names import Names
from app.presentation.requests import RequestView, request_views
from app.stores.records.api_keys import ApiKey
from app.wiring import Services

COUNTED = 100  # requests whose models are counted
SHOWN = 8
MAX_MODELS = 6


@dataclass(frozen=True, slots=True)
class KeyActivity:
    """The newest requests, the models of the newest `counted` ones, and refusal codes by frequency."""

    requests: Sequence[RequestView]
    models: Sequence[tuple[str, int]]
    counted: int
    refusals: Sequence[tuple[str, int]]


def read_activity(services: Services, key: ApiKey) -> KeyActivity:
    """Return the recent activity of *key*."""
    ledger, names = services.ledger, Names.read(key.pool, services.api_keys, services.accounts)
    entries = ledger.search.search(key.pool, LedgerQuery(key=key.id), page_size=COUNTED).entries
    models = Counter(entry.model for entry in entries)
    return KeyActivity(
        request_views(ledger.entries, key.pool, entries[:SHOWN], names),
        models.most_common(MAX_MODELS),
        len(entries),
        ledger.refusals.counts(key.pool, Span.DAY).by_code(key.id),
    )
