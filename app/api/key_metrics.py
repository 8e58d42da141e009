"""
Requests, tokens and cost by API key, for Prometheus.

The first keys that the processes of this service count, up to a number, have series of their own; all
others share the key OTHER. Which these are does not change until the service starts again, also where one is
removed: no counter ever shrinks.
"""

from __future__ import annotations

import fcntl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.api.metrics import TOKENS, shared_folder
from app.process_metrics import Counter, Labels
from app.stores.records.api_keys import ApiKey

KEY_LABELS = ("pool", "key", "team")
OTHER = "(other)"  # no key has this name
MICRO_DOLLARS = 1_000_000

_REQUESTS = Counter("poolgate_key_requests", "Requests by API key.", (*KEY_LABELS, "outcome"))
_TOKENS = Counter("poolgate_key_tokens", "Tokens by API key.", (*KEY_LABELS, "what"))
_COST = Counter("poolgate_key_cost_dollars", "Cost by API key.", KEY_LABELS)


class KeyMetrics:
    """Counts *most* keys one by one; processes agree on them by the file *names*, if there is one."""

    def __init__(self, most: int, names: Path | None) -> None:
        self._most = most
        self._names = names
        self._is_own: dict[str, bool] = {}  # pool and name of a key -> whether it has series of its own

    def observe(self, key: ApiKey, entry: Mapping[str, Any], *, is_refused: bool) -> None:
        """Count a request that ended; *entry* is its ledger entry, empty where it was not admitted."""
        if not entry and not is_refused:
            return
        labels = self._labels(key)
        _REQUESTS.values[*labels, _outcome(entry)] += 1
        for unit in TOKENS:
            if count := entry.get(unit):
                _TOKENS.values[*labels, unit] += count
        if cost := entry.get("cost"):
            _COST.values[labels] += cost / MICRO_DOLLARS

    def _labels(self, key: ApiKey) -> Labels:
        name = f"{key.pool} {key.name}"
        is_own = self._is_own.get(name)
        if is_own is None:
            try:
                is_own = self._is_own[name] = self._take(name)
            except OSError:  # no descriptors, or no space: the next time
                is_own = False
        return (key.pool, key.name, key.team) if is_own else (key.pool, OTHER, "")

    def _take(self, name: str) -> bool:
        """Return whether the key *name* has its own series, from now on if there is room. Raises OSError."""
        if self._names is None:
            return sum(self._is_own.values()) < self._most
        with self._names.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            names = file.read().splitlines()
            if name not in names and len(names) < self._most:
                print(name, file=file)
                names.append(name)
            return name in names


def of_service(most: int) -> KeyMetrics | None:
    """Return what counts *most* keys one by one in this service; None where none is to be counted."""
    folder = shared_folder()
    return KeyMetrics(most, folder and folder / "keys") if most else None


def _outcome(entry: Mapping[str, Any]) -> str:
    if not entry:
        return "refused"
    return "ok" if entry["status"] < 400 else "error"
