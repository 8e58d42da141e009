"""
API keys: `sk-pg-<pool>-<secret>`, of which only a SHA-256 is stored.

The secret has 256 bits of chance, so a fast hash is the right one; the key is told once.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from app.errors import InvalidApiKey, InvalidRequest, NotFound
from app.stores import keys
from app.stores.client import store_errors
from app.stores.scripts import Scripts

PREFIX = "sk-pg-"
MAX_KEYS_READ = 1024  # whose records are at hand, read: some kilobytes each
_PUBLIC = (
    *("id", "name", "pool", "models", "accounts", "limits", "expires_at", "state"),
    *("raw", "on_cut", "output_tokens", "created_at", "former_until"),
)
_SHAPE = re.compile(rf"{PREFIX}({keys.POOL_NAME.pattern})-([0-9A-Za-z]{{43}})")
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A caller's key as one request needs it, with what its pool says for all keys."""

    id: str
    name: str
    pool: str
    models: tuple[str, ...] = ()  # empty: all
    accounts: tuple[str, ...] = ()  # account ids; empty: all
    limits: tuple[dict[str, Any], ...] = ()  # its own, then its pool's
    expires_at: float | None = None
    state: str = "active"
    on_cut: str = "fail"  # what to do when a stream is cut after its first event: fail or restart
    output_tokens: int = 0  # the most output of a request that names no limit; 0: the model's own
    raw: bool = False  # whether answers may carry what the upstream was sent and said
    created_at: float = 0.0  # Unix seconds
    former_until: float | None = None  # until then the secret before the last rotation is good as well
    zone: str = "UTC"  # the pool's: where its days begin
    settings: str = ""  # the pool's, as stored: see app.accounts.settings
    prices: str = "0"  # which version of its pool's own prices holds; 0: it has none
    now: float = 0.0  # when it was looked up, on the store's clock
    looked_up_at: float = 0.0  # the same moment on this process's monotonic clock

    def may_use(self, model: str) -> bool:
        return not self.models or model in self.models

    def public(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _PUBLIC}


def pool_of(presented: str) -> str | None:
    """Return the pool that an API key names, whether or not the key exists; None where it is no key."""
    shape = _SHAPE.fullmatch(presented)
    return shape[1] if shape else None


class ApiKeyRepository:
    """API keys in Redis."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def authenticate(self, presented: str) -> ApiKey:
        """
        Return the key that *presented* is. One round trip.

        Raises InvalidApiKey, with a message of its own for unknown, disabled and expired.
        """
        shape = _SHAPE.fullmatch(presented)
        if shape is None:
            raise InvalidApiKey("This is not an API key of this gateway: they begin with sk-pg-")
        pool = shape[1]
        digest = _digest(presented)
        now_ms, _, flat, (settings, zone, pool_limits, prices) = self._scripts.run(
            "authenticate", pool, digest
        )
        key = ApiKey(
            **_shown(tuple(flat), digest, pool, pool_limits or "[]"),
            now=now_ms / 1000,
            looked_up_at=time.monotonic(),
            zone=zone or "UTC",
            prices=prices or "0",
            settings=settings or "",
        )
        if key.state != "active":
            raise InvalidApiKey("This API key has been disabled")
        if key.expires_at is not None and key.expires_at <= key.now:
            raise InvalidApiKey("This API key has expired")
        return key

    def create(
        self,
        pool: str,
        name: str,
        *,
        models: tuple[str, ...] = (),
        accounts: tuple[str, ...] = (),
        limits: tuple[dict[str, Any], ...] = (),
        expires_at: float | None = None,
        output_tokens: int = 0,
        raw: bool = False,
        on_cut: str = "fail",
    ) -> tuple[ApiKey, str]:
        """
        Store a new key and return it with its secret, which nobody can read again.

        *accounts* are ids. Raises InvalidRequest when the name is taken.
        """
        key_id, secret = f"key_{secrets.token_hex(6)}", _new_secret(pool)
        record = {
            "id": key_id,
            "name": name,
            "models": _list(models),
            "accounts": _list(accounts),
            "limits": _list(limits),
            "expires_ms": int(expires_at * 1000) if expires_at else 0,
            "state": "active",
            "output_tokens": output_tokens,
            "raw": int(raw),
            "on_cut": on_cut,
        }
        digest = _digest(secret)
        if self._scripts.run("create_key", pool, key_id, name, digest, orjson.dumps(record)) == 0:
            raise InvalidRequest(f"A key named '{name}' exists in pool '{pool}'", param="name")
        return self.find(pool, name), secret

    def find(self, pool: str, name: str) -> ApiKey:
        """Return the key called *name*. Raises NotFound when there is none."""
        client = self._scripts.client
        with store_errors():
            key_id = client.hget(keys.key_names(pool), name)
            fields = client.hgetall(keys.api_key(pool, key_id)) if key_id else None
        if not fields:
            raise _no_key(pool, name)
        return _key_from(fields, pool)

    def all(self, pool: str) -> list[ApiKey]:
        """Return every key by name."""
        client = self._scripts.client
        with store_errors():
            names = client.hgetall(keys.key_names(pool))
            pipeline = client.pipeline(transaction=False)
            for _, key_id in sorted(names.items()):
                pipeline.hgetall(keys.api_key(pool, key_id))
            records = pipeline.execute()
        return [_key_from(fields, pool) for fields in records if fields]

    def disable(self, pool: str, name: str) -> None:
        """Refuse this key from now on, in every worker; requests it has running end by themselves."""
        self.change(pool, name, state="disabled")

    def enable(self, pool: str, name: str) -> None:
        """Take a disabled key again."""
        self.change(pool, name, state="active")

    def names_by_id(self, pool: str) -> dict[str, str]:
        with store_errors():
            names = self._scripts.client.hgetall(keys.key_names(pool))
        return {key_id: name for name, key_id in names.items()}

    def change(self, pool: str, name: str, **fields: Any) -> ApiKey:
        """
        Give the key *name* other values of `create`'s fields, or another `state`, and return it.

        Its secret, its limits and what they have counted stay. Raises NotFound.
        """
        record = {field: _STORED.get(field, str)(value) for field, value in fields.items()}
        if "expires_at" in record:
            record["expires_ms"] = record.pop("expires_at")
        if not self._scripts.run("change_key", pool, self.find(pool, name).id, orjson.dumps(record)):
            raise _no_key(pool, name)
        return self.find(pool, name)

    def rotate(self, pool: str, name: str, overlap_seconds: float = 0) -> tuple[ApiKey, str]:
        """
        Give the key *name* a new secret and return both; the one it had stays good for *overlap_seconds*.

        Limits and books belong to the key and go on. Raises NotFound.
        """
        secret = _new_secret(pool)
        key_id, overlap_ms = self.find(pool, name).id, int(overlap_seconds * 1000)
        if not self._scripts.run("rotate_key", pool, key_id, _digest(secret), overlap_ms)[0]:
            raise _no_key(pool, name)
        return self.find(pool, name), secret

    def remove(self, pool: str, name: str) -> None:
        """Forget the key *name* and its limits; what it used stays in the books. Raises NotFound."""
        if not self._scripts.run("remove_key", pool, self.find(pool, name).id):
            raise _no_key(pool, name)


def _list(values: Any) -> str:
    return orjson.dumps(values).decode()


_STORED: dict[str, Callable[[Any], Any]] = {
    "models": _list,
    "accounts": _list,
    "expires_at": lambda seconds: int(seconds * 1000) if seconds else 0,
    "raw": int,
    "output_tokens": int,
}


def _new_secret(pool: str) -> str:
    return f"{PREFIX}{pool}-{''.join(secrets.choice(_LETTERS) for _ in range(43))}"


def _no_key(pool: str, name: str) -> NotFound:
    return NotFound(f"There is no key named '{name}' in pool '{pool}'", param="name")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key_from(fields: dict[str, str], pool: str) -> ApiKey:
    return ApiKey(**_read(fields, pool, "[]"))


@lru_cache(MAX_KEYS_READ)
def _shown(flat: tuple[str, ...], digest: str, pool: str, pool_limits: str) -> dict[str, Any]:
    """
    Return what a record says, [field, value, …] as Redis has it; read once while it says the same.

    Raises InvalidApiKey when it is not that of the key with *digest*.
    """
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    if not fields or digest not in (fields.get("digest", digest), fields.get("former")):
        raise InvalidApiKey("This API key is not known here")
    return _read(fields, pool, pool_limits)


def _read(fields: dict[str, str], pool: str, pool_limits: str) -> dict[str, Any]:
    expires_ms = int(fields.get("expires_ms") or 0)
    return {
        "id": fields["id"],
        "name": fields["name"],
        "pool": pool,
        "models": tuple(orjson.loads(fields.get("models") or "[]")),
        "accounts": tuple(orjson.loads(fields.get("accounts") or "[]")),
        "limits": (*orjson.loads(fields.get("limits") or "[]"), *orjson.loads(pool_limits)),
        "expires_at": expires_ms / 1000 if expires_ms else None,
        "state": fields.get("state", "active"),
        "on_cut": fields.get("on_cut", "fail"),
        "output_tokens": int(fields.get("output_tokens") or 0),
        "raw": fields.get("raw") == "1",
        "created_at": int(fields.get("created_ms") or 0) / 1000,
        "former_until": int(fields.get("former_until_ms") or 0) / 1000 or None,
    }
