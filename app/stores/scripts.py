"""
Load and run the Lua scripts: one file per operation, joined with the definitions it uses.

KEYS[1] of every script is the root of its pool. Every script is safe to repeat, because a reply can be
lost after the script has run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import orjson
import structlog
from redis.exceptions import NoScriptError

from app.errors import StoreRefused
from app.stores import keys
from app.stores.fast_evalsha import script_client
from app.stores.script_source import Definition, definitions, join_script

log = structlog.get_logger()

_BASE = ("clock", "kinds", "keys", "check")
_OF_ACCOUNTS = ("accounts", "model_rests", "outcomes", "selection", "obstacles")
_ACCOUNTS = (*_BASE, "policy", *_OF_ACCOUNTS)
_CREDENTIALS = (*_ACCOUNTS, "reactivate", "credentials")
_REQUESTS = (*_BASE, "policy", "windows", *_OF_ACCOUNTS, "attempts", "requests")
_RESERVATIONS = (*_REQUESTS, "reservations")
_OPERATORS = (*_BASE, "operators")

PARTS: dict[str, tuple[str, ...]] = {
    "ensure_pool": _BASE,
    "set_pool": _ACCOUNTS,
    "authenticate": (*_BASE, "callers"),
    "create_key": _BASE,
    "rotate_key": _BASE,
    "change_key": _BASE,
    "remove_key": (*_BASE, "former_names"),
    "open_key_session": _BASE,
    "create_team": _BASE,
    "change_team": _BASE,
    "remove_team": _BASE,
    "close_audit": _BASE,
    "admit": (*_RESERVATIONS, "callers", "availability", "queue"),
    "leave_queue": (*_REQUESTS, "queue"),
    "cancel_admission": (*_REQUESTS, "queue"),
    "report": (*_RESERVATIONS, "availability", "queue"),
    "withdraw": _REQUESTS,
    "settle": _REQUESTS,
    "store_response": _BASE,
    "claim_recording": (*_BASE, "recordings"),
    "record_response": (*_BASE, "recordings"),
    "unsettled": _BASE,
    "record_refusals": _REQUESTS,
    "renew_leases": _REQUESTS,
    "set_limits": _REQUESTS,
    "snapshot": _BASE,
    "restore_swap": (*_REQUESTS, "capability_index"),
    "store_summary": _BASE,
    "add_index_block": _BASE,
    "usage_report": (*_BASE, "windows"),
    "put_account": (*_ACCOUNTS, "capability_index", "rebinding"),
    "remove_account": (*_BASE, "capability_index", "former_names"),
    "set_account_state": _ACCOUNTS,
    "observe_account": (*_ACCOUNTS, "capability_index", "reactivate"),
    "lease_refresh": _ACCOUNTS,
    "fail_refresh": _ACCOUNTS,
    "store_tokens": _CREDENTIALS,
    "replace_tokens": _CREDENTIALS,
    "reseal": _BASE,
    "open_session": _OPERATORS,
    "touch_session": _OPERATORS,
    "end_sessions": _OPERATORS,
    "put_operator": _OPERATORS,
    "set_operator": _OPERATORS,
    "remove_operator": _OPERATORS,
    "set_role": _OPERATORS,
    "assign_role": _OPERATORS,
    "link_identity": _OPERATORS,
    "unlink_identity": _OPERATORS,
    "put_invitation": _OPERATORS,
    "revoke_invitation": _OPERATORS,
    "use_code": _OPERATORS,
    "put_admin_token": _OPERATORS,
    "touch_admin_token": _OPERATORS,
    "throttle_sign_in": _OPERATORS,
    "change_alerts": _BASE,
    "record_delivery": _BASE,
}


@dataclass(frozen=True, slots=True)
class KindNames:
    """The names of the account kinds that scripts treat specially: see `lua/kinds.lua`."""

    simulated: tuple[str, ...] = ()
    unenforced: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()

    def to_lua(self) -> str:
        """Return the definitions that replace those in `lua/kinds.lua`."""
        sets = {"SIMULATED": self.simulated, "UNENFORCED": self.unenforced, "UNLISTED": self.unlisted}
        entries = {name: ", ".join(f'["{kind}"] = true' for kind in kinds) for name, kinds in sets.items()}
        return "".join(f"local {name}_KINDS = {{ {kinds} }}\n" for name, kinds in entries.items())


def source(operation: str, clock: str | None = None, kinds: KindNames | None = None) -> str:
    """
    Return the Lua text of *operation* and the definitions it uses.

    *clock* and *kinds* replace the parts of those names.
    """
    return _joined([operation], clock, kinds)[operation]


@lru_cache(2)
def _all_sources(clock: str | None, kinds: KindNames | None) -> Mapping[str, str]:
    """Return the Lua text of every operation: see `source`. Joining takes tens of milliseconds."""
    return _joined(PARTS, clock, kinds)


def _joined(operations: Iterable[str], clock: str | None, kinds: KindNames | None) -> dict[str, str]:
    """Return the text of each of *operations*; a part is read and parsed once."""
    folder = resources.files("app.stores") / "lua"
    replaced = ({"clock": clock} if clock else {}) | ({"kinds": kinds.to_lua()} if kinds else {})

    @cache
    def part(name: str) -> list[Definition]:
        return definitions(replaced.get(name) or (folder / f"{name}.lua").read_text(encoding="utf-8"))

    return {
        operation: join_script(
            map(part, PARTS[operation]), (folder / f"{operation}.lua").read_text(encoding="utf-8")
        )
        for operation in operations
    }


def _digest(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()  # EVALSHA names a script by this digest


class Scripts:
    """The operations on one Redis. Every call is one round trip."""

    def __init__(self, client: Any, *, clock: str | None = None, kinds: KindNames | None = None) -> None:
        """*clock*: Lua text that defines `clock()`, for scripts that must not use the time of Redis."""
        self.client = client
        self._direct = script_client(client)
        self._sources = _all_sources(clock, kinds)
        self._digests = {name: _digest(text) for name, text in self._sources.items()}

    def close(self) -> None:
        """Close the connections to Redis."""
        self.client.close()

    def run(self, operation: str, pool: str, *args: Any) -> Any:
        """
        Run *operation* on *pool* and return the reply of Redis.

        Raises StoreUnavailable when Redis does not answer in time, or cannot be written; StoreRefused
        when the script failed by its own error.
        """
        # While a cluster moves the pool's slot, the new node would run a script with one key that is
        # absent and see an empty pool. With two keys, the node refuses (TRYAGAIN) until both have moved.
        root = (2, keys.root(pool), keys.pool(pool))
        try:
            try:
                return self._direct.evalsha(self._digests[operation], *root, *args)
            except NoScriptError:  # a restarted or failed-over server has an empty script cache
                return self.client.eval(self._sources[operation], *root, *args)
        except StoreRefused as refusal:
            log.error("script_refused", script=operation, pool=pool, reason=refusal.reason)
            raise StoreRefused(f"{operation}: {refusal.reason}") from refusal.__cause__

    def run_raw(self, operation: str, pool: str, args: Mapping[str, Any]) -> str:
        """Run an operation that takes one JSON argument, and return its reply as text."""
        reply: str = self.run(operation, pool, orjson.dumps(args))
        return reply

    def run_json(self, operation: str, pool: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """Run an operation that takes one JSON argument, and return its JSON reply decoded."""
        reply: dict[str, Any] = orjson.loads(self.run_raw(operation, pool, args))
        return reply
