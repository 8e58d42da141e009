"""
Requests, tokens and cost by API key, for Prometheus.

The first keys that the processes of this service count, up to a maximum, have their own series; all others
share the key OTHER. The choice does not change until the service starts again, even if a key is removed, so
that no counter ever shrinks.
"""

from __future__ import annotations

import fcntl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.api.metrics import TOKENS, shared_folder
from app.formatting import MICRO_DOLLARS
from app.process_metrics import Counter, Labels
from app.stores.records.api_keys import ApiKey

KEY_LABELS = ("pool", "key", "team")
OTHER = "(other)"  # no key has this name

_REQUESTS = Counter("poolgate_key_requests", "Requests by API key.", (*KEY_LABELS, "outcome"))
_TOKENS = Counter("poolgate_key_tokens", "Tokens by API key.", (*KEY_LABELS, "what"))
_COST = Counter("poolgate_key_cost_dollars", "Cost by API key.", KEY_LABELS)


class KeyMetrics:
    """Counts up to *most* keys separately; the file *names*, if any, has those on which processes agree."""

    def __init__(self, most: int, names: Path | None) -> None:
        self._most = most
        self._names = names
        self._own = set[str]()  # pools and names of the keys that have their own series
        self._is_full = False  # then no other key is remembered

    def observe(self, key: ApiKey, entries: Sequence[Mapping[str, Any]], *, is_refused: bool) -> None:
        """Count a request that ended; *entries* are its ledger rows, one for each model that admitted it."""
        if not entries and not is_refused:
            return
        labels = self._labels(key)
        _REQUESTS.values[*labels, _outcome(entries)] += 1
        for entry in entries:
            for unit in TOKENS:
                if count := entry.get(unit):
                    _TOKENS.values[*labels, unit] += count
            if cost := entry.get("cost"):
                _COST.values[labels] += cost / MICRO_DOLLARS

    def _labels(self, key: ApiKey) -> Labels:
        name = f"{key.pool} {key.name}"
        if name not in self._own and not self._is_full:
            with suppress(OSError):  # no descriptor or no disk space: the next request tries again
                self._take(name)
        return (key.pool, key.name, key.team) if name in self._own else (key.pool, OTHER, "")

    def _take(self, name: str) -> None:
        """Give the key *name* its own series if there is room. Raises OSError."""
        if self._names is None:
            self._own.add(name)
        else:
            with self._names.open("a+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                own = set(file.read().splitlines())
                if name not in own and len(own) < self._most:
                    print(name, file=file)
                    own.add(name)
            self._own = own
        self._is_full = len(self._own) >= self._most


def of_service(most: int) -> KeyMetrics | None:
    """Return the metrics of this service that count up to *most* keys; None if *most* is 0."""
    folder = shared_folder()
    return KeyMetrics(most, folder and folder / "keys") if most else None


def _outcome(entries: Sequence[Mapping[str, Any]]) -> str:
    if not entries:
        return "refused"
    return "ok" if entries[-1]["status"] < 400 else "error"
