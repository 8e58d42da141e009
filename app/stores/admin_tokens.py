"""
Store admin tokens: `pgadm-<secret>`, with which scripts call the admin API.

The secret has 256 random bits. Only its SHA-256 is stored, and a token is looked up by that hash. A
token that an operator created is revoked with that operator; one from the command line belongs to the
machine.
"""

from __future__ import annotations

import re
import secrets

from app.errors import InvalidRequest, NotFound
from app.stores import keys
from app.stores.audit import AuditLog
from app.stores.known_names import suggest_field
from app.stores.records.audit import AuditFilter, Via
from app.stores.records.operators import ActiveToken, AdminToken, NewAdminToken, Role, TokenScope
from app.stores.scripts import Scripts
from app.stores.secrets import digest_of

PREFIX = "pgadm-"
_TOKEN = re.compile(rf"{PREFIX}[0-9A-Za-z_-]{{43}}")


class AdminTokenRepository:
    def __init__(self, scripts: Scripts, rules: str = "") -> None:
        """*rules* is the fingerprint of the current rules that assign roles."""
        self._scripts = scripts
        self._rules = rules
        self._audit = AuditLog(scripts)

    def create(self, token: NewAdminToken) -> tuple[AdminToken, str]:
        """
        Store a new token and return it with its secret, which cannot be read again.

        Raises InvalidRequest when the name is taken or the expiry has passed.
        """
        secret = PREFIX + secrets.token_urlsafe(32)
        fields = {
            "name": token.name,
            "digest": digest_of(secret),
            "by": token.created_by,
            "expires_ms": int(token.expires_at * 1000) if token.expires_at else 0,
            "scope": token.scope,
            "operator": token.operator,
        }
        outcome = self._scripts.run_raw("put_admin_token", keys.SYSTEM, fields)
        if outcome == "taken":
            raise InvalidRequest(f"An admin token named '{token.name}' exists", param="name")
        if outcome == "past":
            raise InvalidRequest("The token would have expired already", param="expires_at")
        return self.find(token.name), secret

    def authenticate(self, presented: str) -> ActiveToken | None:
        """
        Return the token with the secret *presented*. One round trip.

        None when there is none, it has expired or was revoked, or its operator was removed or is suspended.
        """
        if _TOKEN.fullmatch(presented) is None:
            return None
        digest = digest_of(presented)
        active = self._read(digest)
        if active is not None and active.token.operator is None:
            operator = self._find_operator(active.token)
            self._scripts.client.hset(keys.admin_token(digest), "operator", operator)
            active = self._read(digest)
        return active

    def _read(self, digest: str) -> ActiveToken | None:
        flat = self._scripts.run("touch_admin_token", keys.SYSTEM, digest, self._rules)
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        token = _token_from(fields)
        return ActiveToken(token, Role(fields["role"]), "stale" in fields) if token else None

    def _find_operator(self, token: AdminToken) -> str:
        """
        Return the operator of a token that an older version stored without one; read once per token.

        The audit log has the operator, or that it was created on the command line ('' then). Without an
        entry the token belongs to the operator named as its creator, and works as long as there is one.
        """
        cursor: str | None = None
        while True:
            page = self._audit.page(cursor, matching=AuditFilter(action="admin_token.create"))
            for entry in page.entries:
                if entry.get("object") == token.name:
                    return "" if entry.get("via") == Via.CLI else token.created_by
            if page.cursor is None:
                return token.created_by
            cursor = page.cursor

    def all(self) -> list[AdminToken]:
        """Return the valid tokens by name."""
        names = self._scripts.client.hgetall(keys.admin_tokens())
        pipeline = self._scripts.client.pipeline(transaction=False)
        for _, digest in sorted(names.items()):
            pipeline.hgetall(keys.admin_token(digest))
        return [token for fields in pipeline.execute() if (token := _token_from(fields))]

    def find(self, name: str) -> AdminToken:
        """Return the token called *name*. Raises NotFound."""
        token = next((token for token in self.all() if token.name == name), None)
        if token is None:
            raise self._not_found(name)
        return token

    def revoke(self, name: str) -> None:
        """Refuse the token called *name* from now on. Raises NotFound."""
        client = self._scripts.client
        digest = client.hget(keys.admin_tokens(), name)
        if digest is None:
            raise self._not_found(name)
        # The token before its entry in the list, so that after an error it can be revoked again.
        client.delete(keys.admin_token(digest))
        client.hdel(keys.admin_tokens(), name)

    def _not_found(self, name: str) -> NotFound:
        similar = suggest_field(self._scripts.client, keys.admin_tokens(), name)
        return NotFound(f"There is no admin token named '{name[:40]}'{similar}", param="name")


def _token_from(fields: dict[str, str]) -> AdminToken | None:
    if not fields:
        return None
    expires_ms = int(fields["expires_ms"])
    return AdminToken(
        name=fields["name"],
        scope=TokenScope(fields.get("scope", TokenScope.FULL)),
        operator=fields.get("operator"),
        created_by=fields["by"],
        created_at=int(fields["created_ms"]) / 1000,
        expires_at=expires_ms / 1000 if expires_ms else None,
        used_at=int(fields["used_ms"]) / 1000 if "used_ms" in fields else None,
    )
