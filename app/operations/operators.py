"""Change operators, sessions and admin tokens; each change is in the audit log, without secrets."""

from __future__ import annotations

from contextlib import AbstractContextManager

from app.errors import InvalidRequest
from app.operators.operators import NOT_OPEN
from app.operators.stores import OperatorStores
from app.stores.audit import AuditLog
from app.stores.records.audit import Actor, Change, Via
from app.stores.records.invitations import Invitation, NewInvitation, checked_label, checked_lifetime
from app.stores.records.operators import (
    AdminToken,
    NewAdminToken,
    Operator,
    Role,
    SignInPolicy,
    TokenScope,
    checked_name,
)

SECOND_FACTOR_REQUIRED = "An owner requires a second factor of operators: it cannot be turned off"


class OperatorOperations:
    """The changes that *actor* makes. Names are in their stored form, see `normalize_name`."""

    def __init__(self, operator_stores: OperatorStores, audit: AuditLog, actor: Actor) -> None:
        self._operators = operator_stores.operators
        self._invitations = operator_stores.invitations
        self._policy = operator_stores.policy
        self._sessions = operator_stores.sessions
        self._admin_tokens = operator_stores.admin_tokens
        self._sign_in_throttle = operator_stores.sign_in_throttle
        self._audit = audit
        self._actor = actor

    def create_first(self, token: str, name: str, password: str) -> Operator:
        """Create the first operator with a start token. Raises InvalidRequest."""
        with self._change("operator.create", name) as change:
            created = self._operators.create_first(token, name, password)
            change.object, change.after = created.name, created.public()
        return created

    def create_operator(self, name: str, password: str, role: Role = Role.OWNER) -> Operator:
        """Create an operator. Raises InvalidRequest."""
        with self._change("operator.create", name) as change:
            created = self._operators.create(name, password, role)
            change.object, change.after = created.name, created.public()
        return created

    def invite(
        self, role: Role, seconds: float | None, label: str = "", *, owner: str = ""
    ) -> tuple[Invitation, str]:
        """
        Return a new invitation, valid for *seconds*, and its secret. Raises InvalidRequest, RoleNotAllowed.

        It becomes invalid when *owner* is no owner any more; *owner* is '' for one from the command line.
        """
        new = NewInvitation(role, self._actor.name, owner, checked_label(label), checked_lifetime(seconds))
        with self._change("invitation.create", "") as change:
            invitation, secret = self._invitations.create(new)
            change.object, change.after = invitation.id, invitation.public()
        return invitation, secret

    def revoke_invitation(self, invitation_id: str) -> None:
        """Revoke an open invitation. Raises NotFound."""
        with self._change("invitation.revoke", invitation_id) as change:
            change.before = self._invitations.find(invitation_id).public()
            self._invitations.revoke(invitation_id)

    def accept_invitation(self, secret: str, name: str, password: str) -> Operator:
        """Create an operator by an invitation, which is used up. Raises InvalidRequest."""
        invitation = self._invitations.open(secret)
        if invitation is None:
            raise InvalidRequest(NOT_OPEN, param="token")
        with self._change("operator.create", name) as change:
            created = self._operators.accept(secret, name, password)
            change.object, change.after = created.name, created.public()
            change.extra = {"invitation": invitation.id, "invited_by": invitation.created_by}
        return created

    def remove_operator(self, name: str) -> None:
        """
        Remove an operator, their sessions and tokens. Raises NotFound; InvalidRequest for the last owner.
        """
        with self._change("operator.remove", name) as change:
            change.before = self._operators.find(name).public()
            self._operators.remove(name)

    def set_role(self, name: str, role: Role) -> Operator:
        """Give an operator another role, from their next request on. Raises NotFound, InvalidRequest."""
        with self._change("operator.role", name) as change:
            change.before = self._operators.find(name).public()
            self._operators.set_role(name, role)
            changed = self._operators.find(name)
            change.after = changed.public()
        return changed

    def unlink(self, name: str) -> int:
        """
        Disconnect *name* from single sign-on; return the number of sessions begun by it, which end.

        Raises NotFound; InvalidRequest if *name* is not connected, or has no other way to sign in.
        """
        with self._change("operator.unlink", name) as change:
            change.before = self._operators.find(name).public()
            ended = self._operators.unlink(name)
            change.after = self._operators.find(name).public()
            change.extra = {"sessions_ended": ended}
        return ended

    def set_password(self, name: str, password: str, *, but: str = "") -> int:
        """
        Give *name* another password and end their sessions, except the session with the secret *but*.

        Returns the number of ended sessions. Raises InvalidRequest, NotFound.
        """
        with self._change("operator.password", name) as change:
            self._operators.set_password(name, password)
            ended = self._sessions.end_all(name, but=but)
            self._sign_in_throttle.reset(name)
            change.extra = {"sessions_ended": ended}
        return ended

    def confirm_second_factor(self, name: str, code: str) -> list[str]:
        """Turn the second factor on and return its recovery codes. Raises InvalidRequest."""
        with self._change("operator.second_factor", name) as change:
            before = self._operators.find(name)
            codes = self._operators.confirm_second_factor(name, code)
            change.before, change.after = before.public(), self._operators.find(name).public()
        return codes

    def set_policy(self, policy: SignInPolicy, *, operator: str = "") -> None:
        """
        Change what is required of operators who sign in, from their next request on.

        Raises InvalidRequest when *operator*, who requires a second factor, signs in without one; '' for the
        machine.
        """
        if policy.second_factor_required and operator and self._operators.find(operator).lacks_second_factor:
            raise InvalidRequest(
                "You need a second factor yourself before you require it of others",
                param="second_factor_required",
            )
        with self._change("operator.policy", "") as change:
            change.before = self._policy.current().public()
            self._policy.put(policy)
            change.after = policy.public()

    def remove_second_factor(self, name: str) -> bool:
        """
        Let *name* sign in with the password alone; where a second factor is required, they set up another.

        Returns whether it was on. Raises NotFound; InvalidRequest for one's own while it is required.
        """
        is_own = self._actor.via is not Via.CLI and name == self._actor.name
        if is_own and self._policy.current().second_factor_required:
            raise InvalidRequest(SECOND_FACTOR_REQUIRED)
        with self._change("operator.second_factor", name) as change:
            before = self._operators.find(name)
            self._operators.remove_second_factor(name)
            change.before, change.after = before.public(), self._operators.find(name).public()
        return before.second_factor

    def end_session(self, name: str, session_id: str) -> bool:
        """End one session; return whether it existed."""
        with self._change("session.end", name) as change:
            is_ended = self._sessions.end(name, session_id)
            change.extra = {"sessions_ended": int(is_ended)}
        return is_ended

    def end_sessions(self, name: str, *, but: str = "") -> int:
        """End every session of *name* except the one with the secret *but*; return their number."""
        with self._change("session.end", name) as change:
            ended = self._sessions.end_all(name, but=but)
            change.extra = {"sessions_ended": ended}
        return ended

    def create_token(
        self, name: str, expires_at: float | None = None, scope: TokenScope = TokenScope.FULL
    ) -> tuple[AdminToken, str]:
        """
        Return a new admin token and its secret; *expires_at* in Unix seconds. Raises InvalidRequest.

        It is revoked with the operator who created it; a token from the command line belongs to no operator.
        """
        operator = "" if self._actor.via == Via.CLI else self._actor.name
        with self._change("admin_token.create", name) as change:
            token, secret = self._admin_tokens.create(
                NewAdminToken(checked_name(name), self._actor.name, operator, scope, expires_at)
            )
            change.object, change.after = token.name, token.public()
        return token, secret

    def revoke_token(self, name: str) -> None:
        """Revoke an admin token. Raises NotFound."""
        with self._change("admin_token.revoke", name) as change:
            change.before = self._admin_tokens.find(name).public()
            self._admin_tokens.revoke(name)

    def _change(self, action: str, name: str) -> AbstractContextManager[Change]:
        return self._audit.change(self._actor, action, "", name)
