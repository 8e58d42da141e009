"""
Encrypt every stored secret with the newest secret key, while requests run.

A value is replaced only if it has not changed since it was read, so a token that is refreshed meanwhile is
not overwritten. A run may be interrupted and repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from app.stores import keys
from app.stores.scripts import Scripts
from app.stores.sealed_values import SealedValue, SealedValueRepository
from app.stores.secrets import Vault

MAX_TRIES = 5  # attempts for a value that changes while it is being encrypted


@dataclass(slots=True)
class SealedCounts:
    """
    The number of values under the newest and under older keys, and the names of values that no key decrypts.
    """

    newest: int = 0
    older: int = 0
    unreadable: list[str] = field(default_factory=list)


class Reseal:
    def __init__(self, scripts: Scripts, vault: Vault, pools: Iterable[str]) -> None:
        """*pools* are those of the installation; the data of operators is always included."""
        self._values = SealedValueRepository(scripts)
        self._vault = vault
        self._pools = [*pools, keys.SYSTEM]

    def count(self) -> SealedCounts:
        """Count the encrypted values by key. Raises StoreUnavailable."""
        counts = SealedCounts()
        for value in self._all():
            position = self._vault.position(value.text)
            if position is None:
                counts.unreadable.append(_label(value))
            elif position == 0:
                counts.newest += 1
            else:
                counts.older += 1
        return counts

    def run(self, progress: Callable[[int], None] = lambda _: None) -> int:
        """Encrypt again the values under older keys; return their number. Calls *progress* for each value."""
        replaced = 0
        for value in self._all():
            replaced += self._reseal(value)
            progress(1)
        return replaced

    def _reseal(self, value: SealedValue) -> bool:
        for _ in range(MAX_TRIES):
            if not self._vault.position(value.text):  # the newest key has encrypted it, or an unknown one
                return False
            if self._values.replace(value, self._vault.seal(self._vault.open(value.text))):
                return True
            text = self._values.read(value)
            if not text:
                return False
            value = replace(value, text=text)
        return False

    def _all(self) -> Iterator[SealedValue]:
        for pool in self._pools:
            yield from self._values.all(pool)


def _label(value: SealedValue) -> str:
    return f"{'operators' if value.pool == keys.SYSTEM else value.pool}/{value.name}"
