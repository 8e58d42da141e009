"""
Encrypt everything that is stored sealed with the newest secret key, while requests run.

Each value is replaced only if it is still the one that was read, so a token that is refreshed
meanwhile stays the new one. It may be interrupted, and run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.backup.export import FERNET_BEGINS
from app.stores import keys
from app.stores.client import store_errors
from app.stores.scripts import Scripts
from app.stores.secrets import Vault

FAMILIES = (
    "a:",
    "op:",
    "flow:",
    "ans:",
    "restore:",
)  # of keys that hold sealed values
ATTEMPTS = 5  # at a value that changes while it is being resealed


class Sealed(NamedTuple):
    """A sealed value: *field* is '' where the key is a string."""

    pool: str
    name: str
    field: str
    text: str


@dataclass(slots=True)
class Counts:
    """What is sealed: `newest` and `older` by key, and the names of what no key opens."""

    newest: int = 0
    older: int = 0
    unreadable: list[str] = field(default_factory=list)


class Reseal:
    def __init__(self, scripts: Scripts, vault: Vault, pools: Iterable[str]) -> None:
        """*pools* are those of the installation; what belongs to the operators is always included."""
        self._scripts, self._vault = scripts, vault
        self._pools = [*pools, keys.SYSTEM]

    def count(self) -> Counts:
        """Return what is sealed with which key. Raises StoreUnavailable."""
        counts = Counts()
        for one in self._all():
            position = self._vault.position(one.text)
            if position is None:
                counts.unreadable.append(_shown(one))
            elif position == 0:
                counts.newest += 1
            else:
                counts.older += 1
        return counts

    def run(self, progress: Callable[[int], None] = lambda _: None) -> int:
        """Reseal what an older key sealed, and return how many; *progress* is called with each done."""
        replaced = 0
        for one in self._all():
            replaced += self._reseal(one)
            progress(1)
        return replaced

    def _reseal(self, one: Sealed) -> bool:
        for _ in range(ATTEMPTS):
            if not self._vault.position(one.text):  # the newest did, or none of ours
                return False
            new = self._vault.seal(self._vault.open(one.text))
            ask = {"name": one.name, "field": one.field, "old": one.text, "new": new}
            if int(self._scripts.run_raw("reseal", one.pool, ask)):
                return True
            text = self._read(one)
            if not text:
                return False
            one = one._replace(text=text)
        return False

    def _read(self, one: Sealed) -> str:
        client, key = self._scripts.client, keys.root(one.pool) + one.name
        with store_errors():
            return str((client.hget(key, one.field) if one.field else client.get(key)) or "")

    def _all(self) -> Iterator[Sealed]:
        for pool in self._pools:
            for family in FAMILIES:
                yield from self._of(pool, family)

    def _of(self, pool: str, family: str) -> Iterator[Sealed]:
        client, root = self._scripts.client, keys.root(pool)
        with store_errors():
            names = [key[len(root) :] for key in client.scan_iter(match=f"{root}{family}*", count=1000)]
        for name in sorted(set(names)):
            for field_name, text in _fields(client, root + name):
                if text.startswith(FERNET_BEGINS):
                    yield Sealed(pool, name, field_name, text)


def _fields(client: Any, key: str) -> list[tuple[str, str]]:
    with store_errors():
        kind = client.type(key)
        if kind == "hash":
            return sorted(client.hgetall(key).items())
        return [("", client.get(key) or "")] if kind == "string" else []


def _shown(one: Sealed) -> str:
    return f"{'operators' if one.pool == keys.SYSTEM else one.pool}/{one.name}"
