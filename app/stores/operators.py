"""
Store operators: their password hashes, second factors and the token for creating the first one.

Secrets of second factors are encrypted at rest; passwords, recovery codes and the start token arrive
here as hashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.errors import NotFound
from app.stores import keys
from app.stores.known_names import suggest_member
from app.stores.records.operators import (
    Identity,
    NewOperator,
    Operator,
    Role,
    RoleBasis,
    SignInMethod,
)
from app.stores.scripts import Scripts
from app.stores.secrets import Vault, digest_of

START_SECONDS = 24 * 3600  # how long a start token is valid


class CreateResult(StrEnum):
    """Outcome of storing a new operator, see lua/put_operator.lua."""

    MADE = "made"
    TAKEN = "taken"
    LINKED = "linked"  # the identity belongs to another operator
    CLOSED = "closed"  # the start token or invitation is not valid


class RoleResult(StrEnum):
    """Outcome of giving an operator another role, see lua/set_role.lua."""

    CHANGED = "changed"
    UNKNOWN = "unknown"
    LAST = "last"  # the last owner stays one


class AssignResult(StrEnum):
    """Outcome of assigning a role by rules, see lua/assign_role.lua."""

    ASSIGNED = "assigned"
    UNKNOWN = "unknown"
    LAST = "last"  # the last owner stays one


class LinkResult(StrEnum):
    """Outcome of linking an identity to an operator, see lua/link_identity.lua."""

    LINKED = "linked"
    TAKEN = "taken"  # it belongs to another operator
    UNKNOWN = "unknown"


class UnlinkRefusal(StrEnum):
    """Why an operator cannot be disconnected from an identity, see lua/unlink_identity.lua."""

    UNKNOWN = "unknown"
    NONE = "none"  # no identity is connected
    LAST = "last"  # the operator would have no way to sign in


class RemoveResult(StrEnum):
    """Outcome of removing an operator, see lua/remove_operator.lua."""

    REMOVED = "removed"
    UNKNOWN = "unknown"
    LAST = "last"  # the last owner stays


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """The secret (base32), the time step of the last code used, and the hashes of the recovery codes."""

    secret: str
    step: int
    recovery_digests: tuple[str, ...]


class OperatorRepository:
    def __init__(self, scripts: Scripts, vault: Vault) -> None:
        self._scripts = scripts
        self._vault = vault

    def exist(self) -> bool:
        """Return whether there is any operator."""
        return bool(self._scripts.client.scard(keys.operators()))

    def has(self, name: str) -> bool:
        return bool(self._scripts.client.sismember(keys.operators(), name))

    def not_found(self, name: str) -> NotFound:
        """Return the error for an operator *name* that does not exist; it suggests similar names."""
        similar = suggest_member(self._scripts.client, keys.operators(), name)
        return NotFound(f"There is no operator named '{name[:40]}'{similar}", param="name")

    def all(self) -> list[Operator]:
        """Return every operator by name."""
        names = sorted(self._scripts.client.smembers(keys.operators()))
        pipeline = self._scripts.client.pipeline(transaction=False)
        for name in names:
            pipeline.hgetall(keys.operator(name))
        return [_operator_from(fields) for fields in pipeline.execute() if fields]

    def find(self, name: str) -> Operator:
        """Return the operator called *name*. Raises NotFound."""
        return _operator_from(self._fields(name))

    def put_start_token(self, digest: str) -> None:
        """Store the hash of a start token, which replaces the one before."""
        self._scripts.client.set(keys.start_token(), digest, ex=START_SECONDS)

    def is_start_token(self, digest: str) -> bool:
        return bool(self._scripts.client.get(keys.start_token()) == digest)

    def create(self, operator: NewOperator) -> CreateResult:
        """Store a new operator; a start token or invitation must be valid and is used up."""
        identity = operator.identity
        fields = {
            "name": operator.name,
            "role": operator.role,
            "password": operator.password_hash,
            "start": operator.start_digest,
            "invitation": operator.invitation_digest,
            "identity": identity.digest if identity else "",
            "method": identity.method if identity else SignInMethod.PASSWORD,
            "by_rules": operator.basis is not None,
            "facts": _facts_text(operator.basis),
            "rules": operator.basis.rules if operator.basis else "",
        }
        return CreateResult(self._scripts.run_raw("put_operator", keys.SYSTEM, fields))

    def name_of(self, identity: Identity) -> str | None:
        """Return the name of the operator with *identity*, None when there is none."""
        name: str | None = self._scripts.client.get(keys.identity(identity.digest))
        return name

    def link(self, name: str, identity: Identity, *, but: str = "") -> LinkResult:
        """
        Link *identity* to an operator, in place of any previous identity.

        Sessions that began with the previous identity end, except the one with the secret *but*.
        """
        arguments = (name, identity.digest, identity.method, digest_of(but) if but else "")
        return LinkResult(self._scripts.run("link_identity", keys.SYSTEM, *arguments))

    def unlink(self, name: str) -> int | UnlinkRefusal:
        """Remove an operator's identity; end the sessions that began with it, and return their number."""
        outcome = self._scripts.run("unlink_identity", keys.SYSTEM, name)
        return outcome if isinstance(outcome, int) else UnlinkRefusal(outcome)

    def set_role(self, name: str, role: Role) -> RoleResult:
        """Give an operator another role. The last owner cannot lose that role."""
        return RoleResult(self._scripts.run("set_role", keys.SYSTEM, name, role))

    def assign_role(self, name: str, role: Role | None, basis: RoleBasis, *, signed_in: bool) -> AssignResult:
        """
        Give an operator the *role* that rules assign on *basis*; None suspends them.

        With *signed_in* the role may also rise, a suspension may end, and the facts are stored.
        """
        fields = {
            "name": name,
            "role": role or "",
            "rules": basis.rules,
            "facts": _facts_text(basis) if signed_in else None,
        }
        return AssignResult(self._scripts.run_raw("assign_role", keys.SYSTEM, fields))

    def facts(self, name: str) -> frozenset[str]:
        """Return the facts of an operator's last sign-in, from which rules assigned the role."""
        return frozenset((self._scripts.client.hget(keys.operator(name), "facts") or "").split())

    def remove(self, name: str) -> RemoveResult:
        """Remove an operator, and end their sessions and admin tokens."""
        return RemoveResult(self._scripts.run("remove_operator", keys.SYSTEM, name))

    def password_hash(self, name: str) -> str | None:
        stored: str | None = self._scripts.client.hget(keys.operator(name), "password")
        return stored

    def set_password_hash(self, name: str, password_hash: str) -> None:
        """Store the hash of a new password. Raises NotFound."""
        self._set(name, password=password_hash)

    def second_factor_secret(self, name: str) -> str | None:
        """Return the secret (base32) of the confirmed second factor, None without one. Raises NotFound."""
        return self._open(name, "totp")

    def pending_secret(self, name: str) -> str | None:
        """Return the secret (base32) of a second factor that is not confirmed yet. Raises NotFound."""
        return self._open(name, "totp_new")

    def put_pending_secret(self, name: str, secret: str) -> None:
        """Store the secret (base32) of a second factor that is not confirmed yet. Raises NotFound."""
        self._set(name, totp_new=self._vault.seal(secret))

    def put_second_factor(self, name: str, factor: SecondFactor) -> None:
        """Store a confirmed second factor. Raises NotFound."""
        self._set(
            name,
            totp=self._vault.seal(factor.secret),
            totp_new="",
            totp_step=str(factor.step),
            recovery=" ".join(factor.recovery_digests),
        )

    def remove_second_factor(self, name: str) -> None:
        """Remove the second factor, also one that is not confirmed. Raises NotFound."""
        self._set(name, totp="", totp_new="", totp_step="", recovery="")

    def spend_code(self, name: str, *, step: int | None, recovery_digest: str) -> bool:
        """Use up the code of the time step *step*, or a recovery code; return whether it was unused."""
        step_text = "" if step is None else str(step)
        return bool(self._scripts.run("use_code", keys.SYSTEM, name, step_text, recovery_digest))

    def _open(self, name: str, field: str) -> str | None:
        sealed = self._fields(name).get(field)
        return self._vault.open(sealed) if sealed else None

    def _set(self, name: str, **fields: str) -> None:
        if not self._scripts.run_raw("set_operator", keys.SYSTEM, {"name": name, "fields": fields}):
            raise self.not_found(name)

    def _fields(self, name: str) -> dict[str, str]:
        fields: dict[str, str] = self._scripts.client.hgetall(keys.operator(name))
        if not fields:
            raise self.not_found(name)
        return fields


def _operator_from(fields: dict[str, str]) -> Operator:
    return Operator(
        name=fields["name"],
        role=Role(fields.get("role", Role.OWNER)),  # operators of earlier versions have no role
        created_at=int(fields["created_ms"]) / 1000,
        password_at=_seconds(fields.get("password_ms")),
        signed_in_at=_seconds(fields.get("signed_in_ms")),
        methods=_methods(fields),
        role_by_rules=fields.get("by_rules") == "1",
        suspended=fields.get("suspended") == "1",
        second_factor="totp" in fields,
        recovery_codes=len(fields.get("recovery", "").split()),
    )


def _facts_text(basis: RoleBasis | None) -> str:
    return " ".join(sorted(basis.facts)) if basis else ""


def _methods(fields: dict[str, str]) -> tuple[SignInMethod, ...]:
    own = (SignInMethod.PASSWORD,) if "password" in fields else ()
    return (*own, SignInMethod(fields["method"])) if "identity" in fields else own


def _seconds(milliseconds: str | None) -> float | None:
    return int(milliseconds) / 1000 if milliseconds else None
