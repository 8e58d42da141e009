"""
Sessions of operators: who is signed in, where, and until when.

The secret id is the browser's alone; only its SHA-256 is kept. A session ends when it was not used
for `IDLE_SECONDS`, after `LIFE_SECONDS` in any case, and at once when somebody ends it.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from app.errors import NotFound
from app.stores import keys
from app.stores.client import store_errors
from app.stores.scripts import Scripts

IDLE_SECONDS = 2 * 3600
LIFE_SECONDS = 14 * 86400
MOST = 50  # per operator; the oldest give way
MAX_AGENT = 200  # characters


@dataclass(frozen=True, slots=True)
class Session:
    """`id` is public; times are Unix seconds; `agent` is what the browser said it is."""

    id: str
    operator: str
    address: str
    agent: str
    opened_at: float
    seen_at: float
    ends_at: float

    def public(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class SessionRepository:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def open(self, operator: str, *, address: str, agent: str) -> str:
        """Return the secret id of a new session. Raises NotFound when there is no such operator."""
        secret = secrets.token_urlsafe(32)
        ask = {
            "digest": _digest(secret),
            "id": secrets.token_hex(6),
            "operator": operator,
            "address": address,
            "agent": agent[:MAX_AGENT],
            "idle_ms": IDLE_SECONDS * 1000,
            "life_ms": LIFE_SECONDS * 1000,
            "most": MOST,
        }
        if not self._scripts.run_raw("open_session", keys.SYSTEM, ask):
            raise NotFound(f"There is no operator named '{operator}'")
        return secret

    def see(self, secret: str) -> Session | None:
        """Return the session that *secret* is of, and let it live on. One round trip."""
        flat = self._scripts.run("touch_session", keys.SYSTEM, _digest(secret), IDLE_SECONDS * 1000)
        return _session_from(dict(zip(flat[::2], flat[1::2], strict=True)))

    def all(self, operator: str) -> list[Session]:
        """Return the sessions of *operator*, last used first."""
        with store_errors():
            digests = self._scripts.client.zrange(keys.sessions(operator), 0, -1)
            pipeline = self._scripts.client.pipeline(transaction=False)
            for digest in digests:
                pipeline.hgetall(keys.session(digest))
            found = [_session_from(fields) for fields in pipeline.execute()]
        return sorted((one for one in found if one), key=lambda one: -one.seen_at)

    def end(self, operator: str, session_id: str) -> bool:
        """End one session by its public id; tell whether it was there."""
        return self._end(operator, session_id) > 0

    def end_all(self, operator: str, *, but: str = "") -> int:
        """End every session of *operator*, sparing the one whose secret is *but*; return how many."""
        return self._end(operator, "", _digest(but) if but else "")

    def end_this(self, secret: str) -> None:
        """End the session that *secret* is of, if it is there."""
        session = self.see(secret)
        if session is not None:
            self.end(session.operator, session.id)

    def _end(self, operator: str, session_id: str, but: str = "") -> int:
        return int(self._scripts.run("end_sessions", keys.SYSTEM, operator, session_id, but))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _session_from(fields: dict[str, str]) -> Session | None:
    if not fields:
        return None
    at = {name: int(fields[f"{name}_ms"]) / 1000 for name in ("opened", "seen", "ends")}
    return Session(
        id=fields["id"],
        operator=fields["operator"],
        address=fields["address"],
        agent=fields["agent"],
        opened_at=at["opened"],
        seen_at=at["seen"],
        ends_at=at["ends"],
    )
