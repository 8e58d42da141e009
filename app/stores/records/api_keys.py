"""API keys: `sk-pg-<pool>-<secret>`, of which only a SHA-256 is stored."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from typing import NotRequired, TypedDict

import orjson

from app.patterns import STAR, matches
from app.records import public_fields, record
from app.stores import keys
from app.stores.records.limits import Limit, limits_from_json, limits_to_json

PREFIX = "sk-pg-"
FOREIGN_POOL = "default"  # the pool of keys that another gateway made, which name none
_FOREIGN = re.compile(r"sk-(?!pg-)[!-~]{17,253}")
_PATTERN = re.compile(rf"{PREFIX}({keys.POOL_NAME.pattern})-([0-9A-Za-z]{{43}})")


class KeyState(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"
    EXPIRED = "expired"  # computed from the expiry, never stored


class CutPolicy(StrEnum):
    """What to do when an upstream's stream breaks off after its first event."""

    FAIL = "fail"
    RESTART = "restart"


class Attribution(TypedDict, total=False):
    """The owner and the labels of a key, as in ledger entries; absent if there are none."""

    owner: str
    labels: dict[str, str]


ATTRIBUTION = "owner", "labels"  # the fields of a key's hash


class ApiKeyJson(TypedDict):
    """The fields of an ApiKey that operators may see."""

    id: str
    name: str
    pool: str
    models: tuple[str, ...]
    accounts: Sequence[str]
    limits: Sequence[Mapping[str, object]]  # LimitJson; in the admin API with their usage
    expires_at: float | None
    state: KeyState
    raw: bool
    on_cut: CutPolicy
    output_tokens: int
    team: str
    queue_seconds: int | None
    weight: int
    owner: str
    labels: Mapping[str, str]
    created_at: float
    former_until: float | None


@record
class ApiKey:
    """
    A caller's API key, with the settings of its pool that a request needs.

    `models` are names or patterns with `*`. Empty `models` or `accounts` (ids) allow all. Points in time are
    Unix seconds.
    """

    id: str
    name: str
    pool: str
    models: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()  # its own; after authentication also those of its team and its pool
    expires_at: float | None = None
    state: KeyState = KeyState.ACTIVE
    on_cut: CutPolicy = CutPolicy.FAIL
    output_tokens: int = 0  # output cap for requests that set none; 0: the model's own
    team: str = ""  # name of its team; empty: none
    queue_seconds: int | None = None  # how long its requests wait for an account; None: as the pool sets
    weight: int = 1  # its share of the accounts while requests wait, relative to other keys
    owner: str = ""  # who is responsible for it
    labels: tuple[tuple[str, str], ...] = ()  # (name, value) pairs, sorted by name
    # Owner and labels in the form of ledger entries
    attribution: Attribution | None = field(default=None, compare=False)
    raw: bool = False  # whether responses may contain the upstream request and response
    created_at: float = 0.0
    former_until: float | None = None  # until when the secret before the last rotation is valid
    zone: str = "UTC"  # the pool's time zone
    settings: str = ""  # the pool's settings, JSON: see app.accounts.settings
    prices: str = "0"  # the version of the pool's own prices; 0: it has none
    routes: str = "0"  # the version of the pool's model routes; 0: it has none
    now: float = 0.0  # when the key was read, on the store's clock
    looked_up_at: float = 0.0  # the same moment on this process's monotonic clock
    fingerprint: str = ""  # set if an earlier request read the key: admission compares it

    def may_use_account(self, account_id: str) -> bool:
        return not self.accounts or account_id in self.accounts

    def may_use(self, model: str) -> bool:
        """Return whether the key may use *model*, by a name or a pattern in `models`."""
        return (
            not self.models
            or model in self.models
            or any(STAR in name and matches(name, model) for name in self.models)
        )

    def state_at(self, now: float) -> KeyState:
        """Return the state of the key at *now* (Unix seconds)."""
        is_over = self.expires_at is not None and self.expires_at <= now
        return KeyState.EXPIRED if is_over and self.state is KeyState.ACTIVE else self.state

    def public(self) -> ApiKeyJson:
        """Return the fields that operators may see, which never include a secret."""
        public = public_fields(self, ApiKeyJson)
        return {**public, "limits": limits_to_json(self.limits), "labels": dict(self.labels)}


def pool_of(presented: str) -> str | None:
    """Return the pool that the text of an API key names; None if it does not look like one."""
    match = _PATTERN.fullmatch(presented)
    return match[1] if match else None


def pool_of_foreign(presented: str) -> str | None:
    """Return the pool that stores keys of another gateway; None if the text cannot be such a key."""
    return FOREIGN_POOL if _FOREIGN.fullmatch(presented) else None


class StoredKeyFields(TypedDict):
    """The fields of an ApiKey that are read from its Redis hash."""

    id: str
    name: str
    pool: str
    models: tuple[str, ...]
    accounts: tuple[str, ...]
    limits: tuple[Limit, ...]
    expires_at: float | None
    state: KeyState
    on_cut: CutPolicy
    output_tokens: int
    raw: bool
    team: str
    queue_seconds: int | None
    weight: int
    owner: NotRequired[str]
    labels: NotRequired[tuple[tuple[str, str], ...]]
    attribution: NotRequired[Attribution]
    created_at: float
    former_until: float | None


def read_stored_key(stored: Mapping[str, str], pool: str, *more_limits: str) -> StoredKeyFields:
    """
    Return the fields of an ApiKey in *stored*, the key's Redis hash.

    *more_limits* are JSON lists of limits to append to the key's own: those of its team and of its pool.
    """
    expires_ms = int(stored.get("expires_ms") or 0)
    fields: StoredKeyFields = {
        "id": stored["id"],
        "name": stored["name"],
        "pool": pool,
        "models": tuple(orjson.loads(stored.get("models") or "[]")),
        "accounts": tuple(orjson.loads(stored.get("accounts") or "[]")),
        "limits": limits_from_json(
            limit for text in (stored.get("limits") or "[]", *more_limits) for limit in orjson.loads(text)
        ),
        "expires_at": expires_ms / 1000 if expires_ms else None,
        "state": KeyState(stored.get("state", KeyState.ACTIVE)),
        "on_cut": CutPolicy(stored.get("on_cut", CutPolicy.FAIL)),
        "output_tokens": int(stored.get("output_tokens") or 0),
        "raw": stored.get("raw") == "1",
        "team": stored.get("team", ""),
        "queue_seconds": int(stored["queue_seconds"]) if stored.get("queue_seconds") else None,
        "weight": int(stored.get("weight") or 1),
        "created_at": int(stored.get("created_ms") or 0) / 1000,
        "former_until": int(stored.get("former_until_ms") or 0) / 1000 or None,
    }
    if stored.get("owner") or stored.get("labels"):
        attribution = read_attribution(stored)
        fields["attribution"] = attribution
        fields["owner"] = attribution.get("owner", "")
        fields["labels"] = tuple(attribution.get("labels", {}).items())
    return fields


def read_attribution(stored: Mapping[str, str | None]) -> Attribution:
    """Return the owner and the labels in *stored*, the key's Redis hash; absent if not set."""
    attribution: Attribution = {}
    if owner := stored.get("owner"):
        attribution["owner"] = owner
    if labels := stored.get("labels"):
        attribution["labels"] = orjson.loads(labels)
    return attribution


class KeyFields(TypedDict, total=False):
    """The fields of an API key that operators set, by their stored names; `accounts` are ids."""

    models: Sequence[str]
    accounts: Sequence[str]
    limits: Sequence[Limit]
    expires_at: float | None
    output_tokens: int
    raw: bool
    on_cut: str
    state: str
    team: str | None
    queue_seconds: int | None
    weight: int
    owner: str
    labels: Mapping[str, str]


def write_stored_key(fields: KeyFields) -> dict[str, str | int]:
    """Return *fields* as stored in the hash: lists as JSON, `expires_ms` in place of `expires_at`."""
    stored: dict[str, str | int] = {}
    if "models" in fields:
        stored["models"] = _json(fields["models"])
    if "accounts" in fields:
        stored["accounts"] = _json(fields["accounts"])
    if "limits" in fields:
        stored["limits"] = _json(limits_to_json(fields["limits"]))
    if "expires_at" in fields:
        stored["expires_ms"] = int((fields["expires_at"] or 0) * 1000)
    if "output_tokens" in fields:
        stored["output_tokens"] = int(fields["output_tokens"])
    if "raw" in fields:
        stored["raw"] = int(fields["raw"])
    if "on_cut" in fields:
        stored["on_cut"] = str(fields["on_cut"])
    if "state" in fields:
        stored["state"] = str(fields["state"])
    if "team" in fields:
        stored["team"] = fields["team"] or ""
    if "queue_seconds" in fields:
        stored["queue_seconds"] = "" if fields["queue_seconds"] is None else str(fields["queue_seconds"])
    if "weight" in fields:
        stored["weight"] = int(fields["weight"])
    if "owner" in fields:
        stored["owner"] = fields["owner"]
    if "labels" in fields:
        labels = dict(sorted(fields["labels"].items()))
        stored["labels"] = _json(labels) if labels else ""
    return stored


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
