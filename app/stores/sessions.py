"""
Store the sessions of operators.

A browser holds the session's secret; only its SHA-256 is stored. A session ends when it is not used
for `IDLE_SECONDS`, after `LIFE_SECONDS` in any case, and when it is ended.
"""

from __future__ import annotations

import secrets

from app.errors import NotFound, SignInRefused
from app.stores import keys
from app.stores.records.operators import ActiveSession, Identity, Role, Session, SignInMethod
from app.stores.scripts import Scripts
from app.stores.secrets import digest_of

IDLE_SECONDS = 2 * 3600
LIFE_SECONDS = 14 * 86400
MAX_SESSIONS = 50  # per operator; a new session ends the oldest
MAX_AGENT_CHARS = 200


class SessionRepository:
    def __init__(self, scripts: Scripts, rules: str = "") -> None:
        """*rules* is the fingerprint of the current rules that assign roles."""
        self._scripts = scripts
        self._rules = rules

    def open(self, operator: str, *, address: str, agent: str, identity: Identity | None = None) -> str:
        """
        Return the secret of a new session, which begins with a sign-in by *identity* or by password.

        Raises NotFound when the operator does not exist or the identity is no longer theirs, SignInRefused
        when the operator is suspended.
        """
        secret = secrets.token_urlsafe(32)
        session = {
            "digest": digest_of(secret),
            "id": secrets.token_hex(6),
            "operator": operator,
            "address": address,
            "agent": agent[:MAX_AGENT_CHARS],
            "method": identity.method if identity else SignInMethod.PASSWORD,
            "identity": identity.digest if identity else "",
            "idle_ms": IDLE_SECONDS * 1000,
            "life_ms": LIFE_SECONDS * 1000,
            "most": MAX_SESSIONS,
        }
        outcome = self._scripts.run_raw("open_session", keys.SYSTEM, session)
        if outcome == "suspended":
            raise SignInRefused(f"{operator} is suspended: no rule of this gateway gives them a role")
        if outcome == "unknown":
            raise NotFound(f"There is no operator named '{operator}'")
        return secret

    def touch(self, secret: str) -> ActiveSession | None:
        """Return the session with *secret* and extend it; None when it has ended. One round trip."""
        flat = self._scripts.run(
            "touch_session", keys.SYSTEM, digest_of(secret), IDLE_SECONDS * 1000, self._rules
        )
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        session = _session_from(fields)
        if session is None:
            return None
        return ActiveSession(
            session,
            Role(fields["role"]),
            is_stale="stale" in fields,
            lacks_second_factor="lacks_second_factor" in fields,
        )

    def all(self, operator: str) -> list[Session]:
        """Return the sessions of *operator*, the most recently used first."""
        digests = self._scripts.client.zrange(keys.sessions(operator), 0, -1)
        pipeline = self._scripts.client.pipeline(transaction=False)
        for digest in digests:
            pipeline.hgetall(keys.session(digest))
        sessions = [session for fields in pipeline.execute() if (session := _session_from(fields))]
        return sorted(sessions, key=lambda session: -session.seen_at)

    def end(self, operator: str, session_id: str) -> bool:
        """End one session by its public id; return whether it existed."""
        # The script ends all sessions if the id is empty
        return bool(session_id) and self._end(operator, session_id) > 0

    def end_all(self, operator: str, *, but: str = "") -> int:
        """End every session of *operator* except the one with the secret *but*; return their number."""
        return self._end(operator, "", digest_of(but) if but else "")

    def end_by_secret(self, secret: str) -> None:
        """End the session with *secret*, if it exists."""
        active = self.touch(secret)
        if active is not None:
            self.end(active.session.operator, active.session.id)

    def _end(self, operator: str, session_id: str, but: str = "") -> int:
        return int(self._scripts.run("end_sessions", keys.SYSTEM, operator, session_id, but))


def _session_from(fields: dict[str, str]) -> Session | None:
    if not fields:
        return None
    return Session(
        id=fields["id"],
        operator=fields["operator"],
        method=SignInMethod(fields.get("method", SignInMethod.PASSWORD)),
        address=fields["address"],
        agent=fields["agent"],
        opened_at=int(fields["opened_ms"]) / 1000,
        seen_at=int(fields["seen_ms"]) / 1000,
        ends_at=int(fields["ends_ms"]) / 1000,
    )
