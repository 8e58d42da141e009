"""Find every encrypted value in the store, and replace one that has not changed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.stores import keys
from app.stores.scripts import Scripts

FERNET_BEGINS = "gAAAAA"  # a Fernet token: version 0x80, then the first bytes of a time before the year 4000
FAMILIES = ("a:", "op:", "flow:", "ans:", "webhooks", "restore:")  # names of keys that hold encrypted values


@dataclass(frozen=True, slots=True)
class SealedValue:
    """An encrypted value; `field` is '' when the key is a string."""

    pool: str
    name: str
    field: str
    text: str


class SealedValueRepository:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def all(self, pool: str) -> Iterator[SealedValue]:
        """Yield every encrypted value of *pool*. Scans the store."""
        client, root = self._scripts.client, keys.root(pool)
        for family in FAMILIES:
            names = {key[len(root) :] for key in client.scan_iter(match=f"{root}{family}*", count=1000)}
            for name in sorted(names):
                for field, text in self._fields(root + name):
                    if text.startswith(FERNET_BEGINS):
                        yield SealedValue(pool, name, field, text)

    def _fields(self, key: str) -> list[tuple[str, str]]:
        client = self._scripts.client
        kind = client.type(key)
        if kind == "hash":
            return sorted(client.hgetall(key).items())
        return [("", client.get(key) or "")] if kind == "string" else []

    def read(self, value: SealedValue) -> str:
        """Return the text that is now stored in the place of *value*, '' if there is none."""
        client, key = self._scripts.client, keys.root(value.pool) + value.name
        return str((client.hget(key, value.field) if value.field else client.get(key)) or "")

    def replace(self, value: SealedValue, text: str) -> bool:
        """Store *text* in the place of *value* unless that has changed; return whether it was stored."""
        change = {"name": value.name, "field": value.field, "old": value.text, "new": text}
        return bool(int(self._scripts.run_raw("reseal", value.pool, change)))
