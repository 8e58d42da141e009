"""
Create operators, change their passwords and second factors, and verify sign-ins.

The role of an operator decides what they may do. The first one, an owner, is created with a token that
`poolgate up` prints, works once and expires. There is always at least one owner.
"""

from __future__ import annotations

import secrets
from typing import Any

from app.errors import InvalidRequest, SignInRefused
from app.operators import passwords, totp
from app.operators.hashing_queue import OPERATOR, Priority
from app.stores.operators import (
    AssignResult,
    CreateResult,
    LinkResult,
    OperatorRepository,
    RemoveResult,
    RoleResult,
    SecondFactor,
    UnlinkRefusal,
)
from app.stores.records.operators import (
    Identity,
    NewOperator,
    Operator,
    Role,
    RoleBasis,
    checked_name,
    is_name,
)
from app.stores.secrets import digest_of

FIRST_START = "/admin/first-start"  # the page that creates the first operator
INVITATION = "/admin/invitation"  # the page on which an invited person becomes an operator
NOT_OPEN = "has been used or revoked, or is too old: an owner can create another"


class Operators:
    def __init__(self, repository: OperatorRepository) -> None:
        self._repository = repository

    def exist(self) -> bool:
        """Return whether there is any operator."""
        return self._repository.exist()

    def all(self) -> list[Operator]:
        """Return every operator by name."""
        return self._repository.all()

    def has(self, name: str) -> bool:
        return self._repository.has(name)

    def find(self, name: str) -> Operator:
        """Return the operator called *name*. Raises NotFound."""
        return self._repository.find(name)

    def new_start_token(self) -> str | None:
        """
        Return a new token for creating the first operator, None if an operator exists.

        It replaces an earlier token.
        """
        if self.exist():
            return None
        token = secrets.token_urlsafe(24)
        self._repository.put_start_token(digest_of(token))
        return token

    def create_first(self, token: str, name: str, password: str) -> Operator:
        """Create the first operator with a start *token*. Raises InvalidRequest."""
        digest = digest_of(token.strip())
        name = checked_name(name)
        is_valid = self._repository.is_start_token(digest)  # before it costs a hash; the script checks again
        if not is_valid or self._create(name, password, start_digest=digest) is not CreateResult.MADE:
            raise InvalidRequest(
                "is not the one that was printed, has been used, or is too old: "
                "`poolgate admin invite` prints another",
                param="token",
            )
        return self.find(name)

    def create(self, name: str, password: str, role: Role = Role.OWNER) -> Operator:
        """Create an operator. Raises InvalidRequest if the name is taken or breaks a rule."""
        name = checked_name(name)
        if self._create(name, password, role=role) is not CreateResult.MADE:
            raise _taken()
        return self.find(name)

    def accept(self, secret: str, name: str, password: str) -> Operator:
        """
        Create an operator by the invitation with *secret*, which is used up. Raises InvalidRequest.

        The caller has checked that the invitation is open, before this costs a hash.
        """
        name = checked_name(name)
        outcome = self._create(name, password, invitation_digest=digest_of(secret))
        if outcome is CreateResult.CLOSED:
            raise InvalidRequest(NOT_OPEN, param="token")
        if outcome is not CreateResult.MADE:
            raise _taken()
        return self.find(name)

    @staticmethod
    def check_rules(name: str, password: str) -> None:
        """Raise InvalidRequest if *name* cannot name an operator, or *password* breaks a rule."""
        passwords.checked_password(password, checked_name(name))

    def _create(self, name: str, password: str, **fields: Any) -> CreateResult:
        password_hash = passwords.hash_password(passwords.checked_password(password, name))
        return self._repository.create(NewOperator(name, password_hash=password_hash, **fields))

    def name_of(self, identity: Identity) -> str | None:
        """Return the name of the operator with *identity*, None if there is none."""
        return self._repository.name_of(identity)

    def create_verified(self, operator: NewOperator) -> Operator:
        """Create an operator whose identity another service has verified. Raises SignInRefused."""
        outcome = self._repository.create(operator)
        if outcome is CreateResult.CLOSED:
            raise SignInRefused(f"The invitation {NOT_OPEN}")
        if outcome is not CreateResult.MADE:
            raise SignInRefused(
                f"There is an operator named '{operator.name}', who signs in another way. If that is you,"
                " sign in that way and connect this one on the page Security"
            )
        return self.find(operator.name)

    def link(self, name: str, identity: Identity, *, but: str = "") -> None:
        """
        Let *name* also sign in with *identity*, which replaces an earlier identity.

        Sessions that began by the earlier identity end, except the session with the secret *but*. Raises
        SignInRefused, NotFound.
        """
        outcome = self._repository.link(name, identity, but=but)
        if outcome is LinkResult.UNKNOWN:
            raise self._repository.not_found(name)
        if outcome is LinkResult.TAKEN:
            raise SignInRefused("This sign-in is connected to another operator")

    def unlink(self, name: str) -> int:
        """
        Disconnect the identity of *name*; return the number of sessions begun by it, which end.

        Raises NotFound; InvalidRequest if none is connected, or it is the only way to sign in.
        """
        outcome = self._repository.unlink(name)
        if outcome is UnlinkRefusal.UNKNOWN:
            raise self._repository.not_found(name)
        if outcome is UnlinkRefusal.NONE:
            raise InvalidRequest(f"'{name}' is not connected to single sign-on", param="identity")
        if outcome is UnlinkRefusal.LAST:
            raise InvalidRequest(
                f"Single sign-on is the only way in which '{name}' can sign in. Set a password with"
                " `poolgate admin password` first, or remove the operator",
                param="identity",
            )
        return outcome

    def remove(self, name: str) -> None:
        """Remove an operator, and end their sessions. Raises NotFound; InvalidRequest for the last owner."""
        outcome = self._repository.remove(name)
        if outcome is RemoveResult.UNKNOWN:
            raise self._repository.not_found(name)
        if outcome is RemoveResult.LAST:
            raise InvalidRequest("is the last owner: no one else could manage operators", param="name")

    def set_role(self, name: str, role: Role) -> None:
        """Give *name* another role. Raises NotFound; InvalidRequest for the last owner."""
        outcome = self._repository.set_role(name, role)
        if outcome is RoleResult.UNKNOWN:
            raise self._repository.not_found(name)
        if outcome is RoleResult.LAST:
            raise _last_owner()

    def assign_role(self, name: str, role: Role | None, basis: RoleBasis, *, signed_in: bool) -> None:
        """
        Give *name* the *role* that rules assign on *basis*; None suspends them.

        Only someone who has *signed_in* gets a higher role. Raises NotFound; InvalidRequest for the last
        owner.
        """
        outcome = self._repository.assign_role(name, role, basis, signed_in=signed_in)
        if outcome is AssignResult.UNKNOWN:
            raise self._repository.not_found(name)
        if outcome is AssignResult.LAST:
            raise _last_owner()

    def facts(self, name: str) -> frozenset[str]:
        """Return the facts about *name* that rules may match, as of the last sign-in."""
        return self._repository.facts(name)

    def set_password(self, name: str, password: str) -> None:
        """Give *name* another password. Raises InvalidRequest, NotFound."""
        password_hash = passwords.hash_password(passwords.checked_password(password, name))
        self._repository.set_password_hash(name, password_hash)

    def uses_password(self, name: str) -> bool:
        """Return whether *name* has a password; operators of single sign-on may have none."""
        return self._repository.password_hash(name) is not None

    def has_password(self, name: str, password: str, priority: Priority = OPERATOR) -> bool:
        """Return whether *password* is that of *name*; takes as long for an unknown name."""
        password_hash = self._repository.password_hash(name) if is_name(name) else None
        return passwords.verify_password(password_hash, password, priority)

    def authenticate(self, name: str, password: str, code: str, priority: Priority = OPERATOR) -> bool:
        """
        Return whether the password of *name* and, with a second factor, the *code* are right.

        A valid code is used up.
        """
        if not self.has_password(name, password, priority):
            return False
        secret = self._repository.second_factor_secret(name)
        return secret is None or self._spend_code(name, secret, code)

    def _spend_code(self, name: str, secret: str, code: str) -> bool:
        step = totp.find_step(secret, code)
        recovery_digest = "" if step is not None else totp.hash_recovery_code(code)
        return self._repository.spend_code(name, step=step, recovery_digest=recovery_digest)

    def begin_second_factor(self, name: str) -> str:
        """Return the secret (base32) of a new second factor, which is off until it is confirmed."""
        secret = totp.new_secret()
        self._repository.put_pending_secret(name, secret)
        return secret

    def pending_second_factor(self, name: str) -> str | None:
        """Return the secret (base32) of a second factor that is not confirmed yet."""
        return self._repository.pending_secret(name)

    def confirm_second_factor(self, name: str, code: str) -> list[str]:
        """Turn the second factor on; return new recovery codes, only here. Raises InvalidRequest."""
        secret = self._repository.pending_secret(name)
        step = totp.find_step(secret, code) if secret else None
        if secret is None or step is None:
            raise InvalidRequest("must be the code that the app shows now", param="code")
        codes = totp.new_recovery_codes()
        factor = SecondFactor(secret, step, tuple(map(totp.hash_recovery_code, codes)))
        self._repository.put_second_factor(name, factor)
        return codes

    def remove_second_factor(self, name: str) -> None:
        """Turn off the second factor of *name*. Raises NotFound."""
        self._repository.remove_second_factor(name)


def _last_owner() -> InvalidRequest:
    return InvalidRequest("is that of the last owner: make another operator an owner first", param="role")


def _taken() -> InvalidRequest:
    return InvalidRequest("is another operator's", param="name")
