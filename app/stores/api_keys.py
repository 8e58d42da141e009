"""API keys in Redis. A secret has 256 random bits, so a fast hash protects it; it is returned once."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from functools import lru_cache
from typing import Unpack

import orjson

from app.errors import InvalidApiKey, InvalidRequest, NotFound, TeamDisabled
from app.stores import keys
from app.stores.known_names import suggest_field
from app.stores.records.api_keys import (
    PREFIX,
    ApiKey,
    CutPolicy,
    KeyFields,
    KeyState,
    StoredKeyFields,
    pool_of,
    pool_of_foreign,
    read_stored_key,
    write_stored_key,
)
from app.stores.records.limits import checked_limits
from app.stores.records.teams import TeamState
from app.stores.scripts import Scripts
from app.stores.secrets import digest_of
from app.stores.teams import team_not_found

NOT_OF_THIS_GATEWAY = "This is not an API key of this gateway: they begin with sk-pg-"
INCOMPLETE = "This API key is incomplete or mistyped: copy all of it"
MAX_CACHED_KEYS = 1024  # parsed records, some kilobytes each
KNOWN_SECONDS = 10.0  # how long a record is reused; each admission compares its fingerprint
CLOCK_SECONDS = 0.1  # how old `now` in a reused record may be
TIMELY_SECONDS = 1.0  # a record whose reply took longer is not reused: its time is too uncertain
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class ApiKeyRepository:
    """API keys in Redis."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        # Digest of the secret -> when the key was read, key
        self._known: dict[str, tuple[float, ApiKey]] = {}

    def known(self, presented: str) -> ApiKey | None:
        """
        Return the key with the secret *presented* if it was read within KNOWN_SECONDS, else None.

        The record may be outdated: compare its `fingerprint` with the store before it has any effect.
        """
        digest = digest_of(presented)
        read_at, key = self._known.get(digest, (0.0, None))
        if key is None:
            return None
        now = time.monotonic()
        if now - read_at > KNOWN_SECONDS:
            self._known.pop(digest, None)
            return None
        if now - key.looked_up_at > CLOCK_SECONDS:
            key = replace(key, now=key.now + now - key.looked_up_at, looked_up_at=now)
            self._known[digest] = read_at, key
        return key

    def authenticate(self, presented: str) -> ApiKey:
        """
        Return the key with the secret *presented*. One round trip.

        Its limits are followed by those of its team and of its pool. A key that another gateway made is
        looked up in FOREIGN_POOL. Raises TeamDisabled, and InvalidApiKey with a message that distinguishes
        unknown, disabled and expired keys.
        """
        pool = pool_of(presented)
        if pool is None:
            pool = pool_of_foreign(presented)
            if pool is None:
                raise InvalidApiKey(INCOMPLETE if presented.startswith(PREFIX) else NOT_OF_THIS_GATEWAY)
        digest = digest_of(presented)
        self._known.pop(digest, None)
        try:
            key, fingerprint = self._read(pool, digest)
        except InvalidApiKey:
            if presented.startswith(PREFIX):
                raise
            raise InvalidApiKey(NOT_OF_THIS_GATEWAY) from None
        # A former secret becomes invalid without a change of the record
        is_timely = time.monotonic() - key.looked_up_at <= TIMELY_SECONDS
        if _checked(key).former_until is None and is_timely:
            self._remember(digest, replace(key, fingerprint=fingerprint))
        return key

    def authorize(self, pool: str, key_id: str) -> ApiKey:
        """
        Return the key with *key_id* as `authenticate` does, for a caller who was authenticated otherwise.

        Raises InvalidApiKey and TeamDisabled, as that does. One round trip.
        """
        return _checked(self._read(pool, "", key_id)[0])

    def _remember(self, digest: str, key: ApiKey) -> None:
        if len(self._known) >= MAX_CACHED_KEYS:
            self._known.pop(next(iter(self._known)))
        self._known[digest] = key.looked_up_at, key

    def _read(self, pool: str, digest: str, *key_id: str) -> tuple[ApiKey, str]:
        """Return the key with *digest* or *key_id*, and the fingerprint of its record."""
        # Before the command is sent: the time of the store is then estimated too late, never too early. Else
        # deadlines would be in the past for as long as a record is reused whose reply was read late.
        sent_at = time.monotonic()
        now_ms, _, flat, (settings, zone, pool_limits, prices, routes), fingerprint = self._scripts.run(
            "authenticate", pool, digest, *key_id
        )
        key = ApiKey(
            **_cached_fields(tuple(flat), digest, pool, pool_limits or "[]"),
            now=now_ms / 1000,
            looked_up_at=sent_at,
            zone=zone or "UTC",
            prices=prices or "0",
            routes=routes or "0",
            settings=settings or "",
        )
        return key, fingerprint

    def create(
        self, pool: str, name: str, *, foreign_digest: str = "", **fields: Unpack[KeyFields]
    ) -> tuple[ApiKey, str]:
        """
        Store a new key and return it with its secret, which cannot be read again.

        *foreign_digest* is the SHA-256 (hex) of a secret that another gateway made; '' is returned for it.
        Raises InvalidRequest when the name is taken, or for too many limits; NotFound for an unknown team.
        """
        checked_limits(fields.get("limits", ()))
        key_id, secret = f"key_{secrets.token_hex(6)}", "" if foreign_digest else _new_secret(pool)
        stored_fields = write_stored_key({**_DEFAULTS, **fields})
        record = {"id": key_id, "name": name} | {
            field: value for field, value in stored_fields.items() if value != ""
        }
        digest = foreign_digest or digest_of(secret)
        stored = self._scripts.run("create_key", pool, key_id, name, digest, orjson.dumps(record))
        if stored == -2:
            raise InvalidRequest(f"Another key of pool '{pool}' has this secret", param="sha256")
        if stored < 0:
            raise team_not_found(self._scripts.client, pool, fields.get("team") or "", "team")
        if not stored:
            raise InvalidRequest(f"A key named '{name}' exists in pool '{pool}'", param="name")
        return self.find(pool, name), secret

    def find(self, pool: str, name: str) -> ApiKey:
        """Return the key called *name*. Raises NotFound when there is none."""
        client = self._scripts.client
        key_id = client.hget(keys.key_names(pool), name)
        stored = client.hgetall(keys.api_key(pool, key_id)) if key_id else None
        if not stored:
            raise self._not_found(pool, name)
        return ApiKey(**read_stored_key(stored, pool))

    def all(self, pool: str) -> list[ApiKey]:
        """Return every key, sorted by name."""
        client = self._scripts.client
        names = client.hgetall(keys.key_names(pool))
        pipeline = client.pipeline(transaction=False)
        for _, key_id in sorted(names.items()):
            pipeline.hgetall(keys.api_key(pool, key_id))
        records = pipeline.execute()
        return [ApiKey(**read_stored_key(stored, pool)) for stored in records if stored]

    def name_of(self, pool: str, key_id: str) -> str | None:
        """Return the name of the key with *key_id*, None where it has been removed."""
        name: str | None = self._scripts.client.hget(keys.api_key(pool, key_id), "name")
        return name

    def names_by_id(self, pool: str) -> dict[str, str]:
        """Return {key id: name} of every key."""
        names = self._scripts.client.hgetall(keys.key_names(pool))
        return {key_id: name for name, key_id in names.items()}

    def former_names(self, pool: str) -> dict[str, str]:
        """Return {id: name} of the keys and accounts that were removed last."""
        members = self._scripts.client.zrange(keys.former_names(pool), 0, -1)
        return dict(member.split(" ", 1) for member in members)

    def disable(self, pool: str, name: str) -> None:
        """Refuse this key from now on, in every process; its running requests finish."""
        self.change(pool, name, state=KeyState.DISABLED)

    def enable(self, pool: str, name: str) -> None:
        """Accept a disabled key again."""
        self.change(pool, name, state=KeyState.ACTIVE)

    def change(self, pool: str, name: str, **fields: Unpack[KeyFields]) -> ApiKey:
        """
        Change *fields* of the key *name* and return it.

        Its secret, its limits and their counters stay. Raises NotFound, also for an unknown team.
        """
        record = write_stored_key(fields)
        changed = self._scripts.run("change_key", pool, self.find(pool, name).id, orjson.dumps(record))
        if changed < 0:
            raise team_not_found(self._scripts.client, pool, fields.get("team") or "", "team")
        if not changed:
            raise self._not_found(pool, name)
        return self.find(pool, name)

    def rotate(self, pool: str, name: str, overlap_seconds: float = 0) -> tuple[ApiKey, str]:
        """
        Give the key *name* a new secret and return both; the former secret stays valid for *overlap_seconds*.

        Limits, counters and ledger entries belong to the key and stay. Raises NotFound.
        """
        secret = _new_secret(pool)
        key_id, overlap_ms = self.find(pool, name).id, int(overlap_seconds * 1000)
        if not self._scripts.run("rotate_key", pool, key_id, digest_of(secret), overlap_ms)[0]:
            raise self._not_found(pool, name)
        return self.find(pool, name), secret

    def remove(self, pool: str, name: str) -> None:
        """Remove the key *name* and its limits; its ledger entries stay. Raises NotFound."""
        if not self._scripts.run("remove_key", pool, self.find(pool, name).id):
            raise self._not_found(pool, name)

    def _not_found(self, pool: str, name: str) -> NotFound:
        similar = suggest_field(self._scripts.client, keys.key_names(pool), name)
        return NotFound(f"There is no key named '{name}' in pool '{pool}'{similar}", param="name")


_DEFAULTS: KeyFields = {
    "models": (),
    "accounts": (),
    "limits": (),
    "expires_at": None,
    "state": KeyState.ACTIVE,
    "output_tokens": 0,
    "raw": False,
    "on_cut": CutPolicy.FAIL,
    "weight": 1,
}


def _new_secret(pool: str) -> str:
    return f"{PREFIX}{pool}-{''.join(secrets.choice(_LETTERS) for _ in range(43))}"


def _checked(key: ApiKey) -> ApiKey:
    """Return *key*. Raises InvalidApiKey unless it is active."""
    if key.state != KeyState.ACTIVE:
        raise InvalidApiKey("This API key has been disabled")
    if key.expires_at is not None and key.expires_at <= key.now:
        raise InvalidApiKey("This API key has expired")
    return key


@lru_cache(MAX_CACHED_KEYS)
def _cached_fields(flat: tuple[str, ...], digest: str, pool: str, pool_limits: str) -> StoredKeyFields:
    """
    Return the fields of *flat*, [field, value, …] as Redis returns a hash. Results are cached by content.

    Raises InvalidApiKey when *flat* is not the record of the key with *digest* ('': of any key), and
    TeamDisabled. Errors are not cached.
    """
    stored = dict(zip(flat[::2], flat[1::2], strict=True))
    if not stored or (digest and digest not in (stored.get("digest", digest), stored.get("former"))):
        raise InvalidApiKey("This API key is not known here")
    fields = read_stored_key(stored, pool, stored.get("team_limits", "[]"), pool_limits)
    is_refused = fields["team"] and stored.get("team_state") != TeamState.ACTIVE
    if is_refused and fields["state"] is KeyState.ACTIVE:
        raise TeamDisabled(fields["team"])
    return fields
