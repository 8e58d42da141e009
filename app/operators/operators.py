"""
Operators: who may sign in to the admin pages. What they may do is not asked: each may do all.

The first one is made with a token that `poolgate up` prints, which works once and expires.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidRequest, NotFound
from app.operators import passwords
from app.operators import totp as second_factor
from app.operators.hashing_queue import OPERATOR, Turn
from app.stores import keys
from app.stores.client import store_errors
from app.stores.scripts import Scripts
from app.stores.secrets import Vault

START_SECONDS = 24 * 3600  # how long a first-start token works
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


@dataclass(frozen=True, slots=True)
class Operator:
    """Times are Unix seconds; *recovery_codes* is how many are left."""

    name: str
    created_at: float
    password_at: float
    second_factor: bool
    recovery_codes: int

    def public(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def normal(name: str) -> str:
    """Return *name* as it is kept, however it was typed."""
    return unicodedata.normalize("NFKC", name).strip().lower()


def checked_name(name: str) -> str:
    """Return *name*, as it is kept, when it can name an operator or a token. Raises InvalidRequest."""
    name = normal(name)
    if _NAME.fullmatch(name) is None:
        raise InvalidRequest("must be 1 to 64 letters, digits, '.', '_', '@', '+' or '-'", param="name")
    return name


class OperatorRepository:
    def __init__(self, scripts: Scripts, vault: Vault) -> None:
        self._scripts = scripts
        self._vault = vault

    def exist(self) -> bool:
        """Tell whether anybody may sign in."""
        with store_errors():
            return bool(self._scripts.client.scard(keys.operators()))

    def all(self) -> list[Operator]:
        with store_errors():
            names = sorted(self._scripts.client.smembers(keys.operators()))
            pipeline = self._scripts.client.pipeline(transaction=False)
            for name in names:
                pipeline.hgetall(keys.operator(name))
            return [_operator_from(fields) for fields in pipeline.execute() if fields]

    def knows(self, name: str) -> bool:
        with store_errors():
            return bool(self._scripts.client.sismember(keys.operators(), name))

    def find(self, name: str) -> Operator:
        """Return the operator called *name*. Raises NotFound."""
        return _operator_from(self._fields(name))

    def start_token(self) -> str | None:
        """Return a new token for the first start, which ends the one before; None when it is past."""
        if self.exist():
            return None
        token = secrets.token_urlsafe(24)
        with store_errors():
            self._scripts.client.set(keys.start_token(), _digest(token), ex=START_SECONDS)
        return token

    def start(self, token: str, name: str, password: str) -> Operator:
        """Make the first operator with a first-start *token*. Raises InvalidRequest."""
        if self._make(name, password, _digest(token.strip())) != "made":
            raise InvalidRequest(
                "is not the one that was printed, has been used, or is too old: "
                "`poolgate admin invite` prints another",
                param="token",
            )
        return self.find(checked_name(name))

    def _is_start(self, digest: str) -> bool:
        with store_errors():
            return bool(self._scripts.client.get(keys.start_token()) == digest)

    def create(self, name: str, password: str) -> Operator:
        """Make another operator. Raises InvalidRequest when the name is taken or a rule broken."""
        if self._make(name, password, "") != "made":
            raise InvalidRequest("is another operator's", param="name")
        return self.find(checked_name(name))

    @staticmethod
    def check_rules(name: str, password: str) -> None:
        """Raise InvalidRequest when an operator may not be called *name*, or not have *password*."""
        passwords.checked_password(password, checked_name(name))

    def _make(self, name: str, password: str, token: str) -> str:
        name = checked_name(name)
        if token and not self._is_start(token):
            return "closed"  # before it costs a hash; the script asks again
        kept = passwords.hashed(passwords.checked_password(password, name))
        return str(self._scripts.run("put_operator", keys.SYSTEM, name, kept, token))

    def remove(self, name: str) -> None:
        """Remove an operator and end their sessions. Raises NotFound, or InvalidRequest for the last."""
        outcome = self._scripts.run("remove_operator", keys.SYSTEM, name)
        if outcome == "unknown":
            raise _unknown(name)
        if outcome == "last":
            raise InvalidRequest("is the last operator: nobody could sign in", param="name")

    def set_password(self, name: str, password: str) -> None:
        """Give *name* another password. Raises InvalidRequest, NotFound."""
        self._set(name, password=passwords.hashed(passwords.checked_password(password, name)))

    def has_password(self, name: str, password: str, turn: Turn = OPERATOR) -> bool:
        """Tell whether *password* is that of *name*; takes as long for a name nobody has."""
        if _NAME.fullmatch(name) is None:
            return passwords.matches(None, password, turn)
        with store_errors():
            kept = self._scripts.client.hget(keys.operator(name), "password")
        return passwords.matches(kept, password, turn)

    def may_enter(self, name: str, password: str, code: str, turn: Turn = OPERATOR) -> bool:
        """Tell whether these are the password and, where it is on, a fresh code of *name*; spend it."""
        if not self.has_password(name, password, turn):
            return False
        sealed = self._fields(name).get("totp")
        return sealed is None or self._spend(name, self._vault.open(sealed), code)

    def _spend(self, name: str, secret: str, code: str) -> bool:
        step = second_factor.step_of(secret, code)
        recovery = "" if step is not None else second_factor.digest(code)
        told = "" if step is None else str(step)
        return bool(self._scripts.run("use_code", keys.SYSTEM, name, told, recovery))

    def begin_second_factor(self, name: str) -> str:
        """Return the new secret (base32) of a second factor, which is not on before it is confirmed."""
        secret = second_factor.new_secret()
        self._set(name, totp_new=self._vault.seal(secret))
        return secret

    def pending_second_factor(self, name: str) -> str | None:
        """Return the secret that waits to be confirmed."""
        sealed = self._fields(name).get("totp_new")
        return self._vault.open(sealed) if sealed else None

    def confirm_second_factor(self, name: str, code: str) -> list[str]:
        """Turn the second factor on and return new recovery codes, told once. Raises InvalidRequest."""
        sealed = self._fields(name).get("totp_new", "")
        step = second_factor.step_of(self._vault.open(sealed), code) if sealed else None
        if step is None:
            raise InvalidRequest("is not the code that the app shows now", param="code")
        codes = second_factor.new_recovery_codes()
        self._set(
            name,
            totp=sealed,
            totp_new="",
            totp_step=str(step),
            recovery=" ".join(map(second_factor.digest, codes)),
        )
        return codes

    def drop_second_factor(self, name: str) -> None:
        """Let the password alone be enough again."""
        self._set(name, totp="", totp_new="", totp_step="", recovery="")

    def _set(self, name: str, **fields: str) -> None:
        ask = {"name": name, "fields": fields}
        if not self._scripts.run_raw("set_operator", keys.SYSTEM, ask):
            raise _unknown(name)

    def _fields(self, name: str) -> dict[str, str]:
        with store_errors():
            fields: dict[str, str] = self._scripts.client.hgetall(keys.operator(name))
        if not fields:
            raise _unknown(name)
        return fields


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _unknown(name: str) -> NotFound:
    return NotFound(f"There is no operator named '{name[:40]}'", param="name")


def _operator_from(fields: dict[str, str]) -> Operator:
    return Operator(
        name=fields["name"],
        created_at=int(fields["created_ms"]) / 1000,
        password_at=int(fields["password_ms"]) / 1000,
        second_factor="totp" in fields,
        recovery_codes=len(fields.get("recovery", "").split()),
    )
