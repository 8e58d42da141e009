"""Sign in people whom another service has verified: by their identity, never by their e-mail alone."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from app.config import RoleRule
from app.errors import InvalidRequest, SignInRefused
from app.operators.external_users import ExternalUser, role_of
from app.operators.operators import NOT_OPEN
from app.operators.stores import OperatorStores
from app.stores.audit import AuditLog
from app.stores.records.audit import Actor, Via
from app.stores.records.operators import NewOperator, Operator, checked_name, normalize_name
from app.stores.secrets import digest_of

NO_ROLE = "You may not sign in here: no rule of this gateway gives you a role. An owner can invite you"


class ExternalSignIn:
    """Each change is in the audit log, as one of the operator from *address*."""

    def __init__(
        self, operator_stores: OperatorStores, audit: AuditLog, rules: Iterable[RoleRule], address: str
    ) -> None:
        self._operators = operator_stores.operators
        self._invitations = operator_stores.invitations
        self._audit = audit
        self._rules = tuple(rules)
        self._address = address

    def sign_in(self, user: ExternalUser, invitation_secret: str = "") -> Operator:
        """
        Return the operator of *user*, created by an invitation or by the rules if there is none.

        The rules assign the role of those whom they created, at each sign-in. Raises SignInRefused.
        """
        name = self._operators.name_of(user.identity)
        if name is None:
            return self._invited(user, invitation_secret) if invitation_secret else self._by_rules(user)
        operator = self._operators.find(name)
        return self._with_current_role(operator, user) if operator.role_by_rules else operator

    def link(self, name: str, user: ExternalUser, *, but: str = "") -> None:
        """
        Let the operator *name* sign in as *user* as well. Raises SignInRefused.

        Sessions by another identity end, except the one with the secret *but*.
        """
        with self._audit.change(self._actor(name), "operator.link", "", name) as change:
            change.before = self._operators.find(name).public()
            self._operators.link(name, user.identity, but=but)
            change.after = self._operators.find(name).public()

    def _invited(self, user: ExternalUser, secret: str) -> Operator:
        if self._invitations.open(secret) is None:
            raise SignInRefused(f"The invitation {NOT_OPEN}")
        return self._create(
            NewOperator(_name(user), identity=user.identity, invitation_digest=digest_of(secret))
        )

    def _by_rules(self, user: ExternalUser) -> Operator:
        role = role_of(user, self._rules)
        if role is None:
            raise SignInRefused(NO_ROLE)
        return self._create(NewOperator(_name(user), role, identity=user.identity, role_by_rules=True))

    def _create(self, operator: NewOperator) -> Operator:
        with self._audit.change(self._actor(operator.name), "operator.create", "", operator.name) as change:
            created = self._operators.create_verified(operator)
            change.after = created.public()
        return created

    def _with_current_role(self, operator: Operator, user: ExternalUser) -> Operator:
        role = role_of(user, self._rules)
        if role is None:
            raise SignInRefused(NO_ROLE)
        if role is operator.role:
            return operator
        with (
            suppress(InvalidRequest),  # the last owner stays one
            self._audit.change(self._actor(operator.name), "operator.role", "", operator.name) as change,
        ):
            self._operators.set_role(operator.name, role)
            changed = self._operators.find(operator.name)
            change.before, change.after = operator.public(), changed.public()
            return changed
        return operator

    def _actor(self, name: str) -> Actor:
        return Actor(name, Via.PAGE, self._address)


def _name(user: ExternalUser) -> str:
    """Return a name for *user*, whose characters may not all be allowed in one. Raises SignInRefused."""
    allowed = "".join(letter if letter.isalnum() or letter in "._@+-" else "-" for letter in user.name)
    try:
        return checked_name(normalize_name(allowed)[:64])
    except InvalidRequest:
        raise SignInRefused("The sign-in service has no name of yours that can be used here") from None
