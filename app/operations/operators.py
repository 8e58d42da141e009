"""Every change of who may come in: made here, and written into the audit book, never with a secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.operators.actor import CLI, Actor
from app.operators.admin_tokens import FULL, AdminToken
from app.operators.audit import AuditLog, Change
from app.operators.operators import Operator
from app.operators.stores import OperatorStores


class OperatorOperations:
    """The doors, as *actor* changes them. Names are as they are kept: see `operators.normal`."""

    def __init__(self, operator_stores: OperatorStores, audit: AuditLog, actor: Actor) -> None:
        self._operator_stores = operator_stores
        self._audit = audit
        self._actor = actor

    def start(self, token: str, name: str, password: str) -> Operator:
        """Make the first operator. Raises InvalidRequest."""
        with self._change("operator.create", name) as change:
            made = self._operator_stores.operators.start(token, name, password)
            change.object, change.after = made.name, made.public()
        return made

    def create_operator(self, name: str, password: str) -> Operator:
        """Make an operator. Raises InvalidRequest."""
        with self._change("operator.create", name) as change:
            made = self._operator_stores.operators.create(name, password)
            change.object, change.after = made.name, made.public()
        return made

    def remove_operator(self, name: str) -> None:
        """Remove an operator; sessions and admin tokens end. Raises NotFound, InvalidRequest for the last."""
        with self._change("operator.remove", name) as change:
            change.before = self._operator_stores.operators.find(name).public()
            self._operator_stores.operators.remove(name)

    def set_password(self, name: str, password: str, *, but: str = "") -> int:
        """
        Give *name* another password and end their sessions, sparing the one whose secret is *but*.

        Returns how many were ended. Raises InvalidRequest, NotFound.
        """
        with self._change("operator.password", name) as change:
            self._operator_stores.operators.set_password(name, password)
            ended = self._operator_stores.sessions.end_all(name, but=but)
            self._operator_stores.attempts.forget(name)
            change.extra = {"sessions_ended": ended}
        return ended

    def confirm_second_factor(self, name: str, code: str) -> list[str]:
        """Turn the second factor on and return its recovery codes. Raises InvalidRequest."""
        with self._change("operator.second_factor", name) as change:
            before = self._operator_stores.operators.find(name)
            codes = self._operator_stores.operators.confirm_second_factor(name, code)
            change.before, change.after = before.public(), self._operator_stores.operators.find(name).public()
        return codes

    def drop_second_factor(self, name: str) -> None:
        """Let the password of *name* alone be enough. Raises NotFound."""
        with self._change("operator.second_factor", name) as change:
            before = self._operator_stores.operators.find(name)
            self._operator_stores.operators.drop_second_factor(name)
            change.before, change.after = before.public(), self._operator_stores.operators.find(name).public()

    def end_session(self, name: str, session_id: str) -> bool:
        """End one session; tell whether it was there."""
        with self._change("session.end", name) as change:
            ended = self._operator_stores.sessions.end(name, session_id)
            change.extra = {"sessions_ended": int(ended)}
        return ended

    def end_sessions(self, name: str, *, but: str = "") -> int:
        """End every session of *name*, sparing the one whose secret is *but*; return how many."""
        with self._change("session.end", name) as change:
            ended = self._operator_stores.sessions.end_all(name, but=but)
            change.extra = {"sessions_ended": ended}
        return ended

    def create_token(
        self, name: str, expires_at: float | None = None, scope: str = FULL
    ) -> tuple[AdminToken, str]:
        """
        Return a new admin token and its secret. Raises InvalidRequest.

        It ends with the operator who makes it; one that is made on the command line ends with none.
        """
        operator = "" if self._actor.via == CLI else self._actor.name
        with self._change("admin_token.create", name) as change:
            token, secret = self._operator_stores.tokens.create(
                name, by=self._actor.name, expires_at=expires_at, scope=scope, operator=operator
            )
            change.object, change.after = token.name, token.public()
        return token, secret

    def revoke_token(self, name: str) -> None:
        """Refuse an admin token from now on. Raises NotFound."""
        with self._change("admin_token.revoke", name) as change:
            change.before = self._operator_stores.tokens.find(name).public()
            self._operator_stores.tokens.revoke(name)

    @contextmanager
    def _change(self, action: str, name: str) -> Iterator[Change]:
        with self._audit.change(self._actor, action, "", name) as change:
            yield change
