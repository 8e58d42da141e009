"""
Admin tokens: `pgadm-<secret>`, with which scripts call the admin API.

The secret has 256 bits of chance; only its SHA-256 is kept, and a token is found by that hash, so
nothing is compared letter by letter. It is told once.

A token that an operator made ends with that operator; one that was made on the command line belongs
to the machine. A token of scope `read` may read what reveals no secret; `full` may do everything.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidRequest, NotFound
from app.operators.actor import CLI
from app.operators.audit import AuditLog
from app.operators.operators import checked_name
from app.stores import keys
from app.stores.client import store_errors
from app.stores.scripts import Scripts

PREFIX = "pgadm-"
READ, FULL = "read", "full"
SCOPES = (READ, FULL)
_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z_-]{{43}}")


@dataclass(frozen=True, slots=True)
class AdminToken:
    """
    Times are Unix seconds; `expires_at` is None where it never does.

    `operator` is who it ends with: '' for none, None for a token of a former version.
    """

    name: str
    scope: str
    operator: str | None
    created_by: str
    created_at: float
    expires_at: float | None

    def public(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class AdminTokenRepository:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._audit = AuditLog(scripts)

    def create(
        self, name: str, *, by: str, expires_at: float | None = None, scope: str = FULL, operator: str = ""
    ) -> tuple[AdminToken, str]:
        """
        Store a new token and return it with its secret, which cannot be read again.

        It ends with *operator*, if one is named. Raises InvalidRequest when the name is taken or cannot
        be one, the end has passed, or there is no such scope.
        """
        if scope not in SCOPES:
            raise InvalidRequest("must be read or full", param="scope")
        name, secret = checked_name(name), PREFIX + secrets.token_urlsafe(32)
        ask = {
            "name": name,
            "digest": _digest(secret),
            "by": by,
            "expires_ms": int(expires_at * 1000) if expires_at else 0,
            "scope": scope,
            "operator": operator,
        }
        outcome = self._scripts.run_raw("put_admin_token", keys.SYSTEM, ask)
        if outcome == "taken":
            raise InvalidRequest(f"An admin token named '{name}' exists", param="name")
        if outcome == "past":
            raise InvalidRequest("The token would have expired already", param="expires_at")
        return self.find(name), secret

    def authenticate(self, presented: str) -> AdminToken | None:
        """
        Return the token that *presented* is. One round trip.

        None when it is none, has expired, was revoked, or the operator who made it is gone.
        """
        if _SHAPE.fullmatch(presented) is None:
            return None
        digest = _digest(presented)
        token = self._seen(digest)
        if token is not None and token.operator is None:
            operator = self._operator_of(token)
            with store_errors():
                self._scripts.client.hset(keys.admin_token(digest), "operator", operator)
            token = self._seen(digest)
        return token

    def _seen(self, digest: str) -> AdminToken | None:
        flat = self._scripts.run("touch_admin_token", keys.SYSTEM, digest)
        return _token_from(dict(zip(flat[::2], flat[1::2], strict=True)))

    def _operator_of(self, token: AdminToken) -> str:
        """
        Return who a token of a former version ends with, as the audit log has it: once per token.

        One that was made on the command line ends with no operator. Where the log does not say, it is
        taken for that of the operator of its maker's name, so it works as long as there is one.
        """
        cursor: str | None = None
        while True:
            page = self._audit.page(cursor, action="admin_token.create")
            for entry in page.entries:
                if entry.get("object") == token.name:
                    return "" if entry.get("via") == CLI else token.created_by
            if page.cursor is None:
                return token.created_by
            cursor = page.cursor

    def all(self) -> list[AdminToken]:
        """Return the tokens that work, by name."""
        with store_errors():
            names = self._scripts.client.hgetall(keys.admin_tokens())
            pipeline = self._scripts.client.pipeline(transaction=False)
            for _, digest in sorted(names.items()):
                pipeline.hgetall(keys.admin_token(digest))
            found = [_token_from(fields) for fields in pipeline.execute()]
        return [token for token in found if token is not None]

    def find(self, name: str) -> AdminToken:
        """Return the token called *name*. Raises NotFound."""
        found = next((token for token in self.all() if token.name == name), None)
        if found is None:
            raise NotFound(f"There is no admin token named '{name[:40]}'", param="name")
        return found

    def revoke(self, name: str) -> None:
        """Refuse the token called *name* from now on. Raises NotFound."""
        with store_errors():
            client = self._scripts.client
            digest = client.hget(keys.admin_tokens(), name)
            if digest is None:
                raise NotFound(f"There is no admin token named '{name[:40]}'", param="name")
            client.delete(keys.admin_token(digest))  # first what opens, then what lists
            client.hdel(keys.admin_tokens(), name)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _token_from(fields: dict[str, str]) -> AdminToken | None:
    if not fields:
        return None
    expires_ms = int(fields["expires_ms"])
    return AdminToken(
        name=fields["name"],
        scope=fields.get("scope", FULL),
        operator=fields.get("operator"),
        created_by=fields["by"],
        created_at=int(fields["created_ms"]) / 1000,
        expires_at=expires_ms / 1000 if expires_ms else None,
    )
