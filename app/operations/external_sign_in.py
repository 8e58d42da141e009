"""
Sign in people whom another service has verified: by their identity, never by their e-mail address alone.
"""

from __future__ import annotations

from contextlib import suppress

from app.errors import InvalidRequest, NotFound, SignInRefused
from app.operators.external_users import ExternalUser
from app.operators.operators import NOT_OPEN
from app.operators.role_rules import RoleRules, facts_of
from app.operators.stores import OperatorStores
from app.stores.audit import AuditLog
from app.stores.records.audit import Actor, Via
from app.stores.records.operators import NewOperator, Operator, Role, RoleBasis, checked_name, normalize_name
from app.stores.secrets import digest_of

NO_ROLE = "You may not sign in here: no rule of this gateway gives you a role. An owner can invite you"


class ExternalSignIn:
    """Each change is in the audit log, as made by the operator from *address*."""

    def __init__(
        self, operator_stores: OperatorStores, audit: AuditLog, rules: RoleRules, address: str
    ) -> None:
        self._operators = operator_stores.operators
        self._invitations = operator_stores.invitations
        self._audit = audit
        self._rules = rules
        self._address = address

    def sign_in(self, user: ExternalUser, invitation_secret: str = "") -> Operator:
        """
        Return the operator of *user*; an invitation or the role rules may create them.

        At each sign-in, the rules assign the role of operators whom they created. Raises SignInRefused.
        """
        name = self._operators.name_of(user.identity)
        if name is None:
            return self._invited(user, invitation_secret) if invitation_secret else self._by_rules(user)
        operator = self._operators.find(name)
        if not operator.role_by_rules:
            return operator
        facts = facts_of(user)
        role = self._rules.role_of(facts)
        assigned = self._assign(operator, role, facts, signed_in=True)
        if role is None:
            raise SignInRefused(NO_ROLE)
        return assigned

    def review(self, name: str) -> None:
        """Lower the role of *name* to what the role rules of the settings give now, or suspend them."""
        with suppress(NotFound):  # the operator was removed meanwhile
            operator, facts = self._operators.find(name), self._operators.facts(name)
            role = self._rules.role_of(facts)
            if role is not None and role.includes(operator.role):
                role = operator.role
            self._assign(operator, role, facts, signed_in=False)

    def link(self, name: str, user: ExternalUser, *, but: str = "") -> None:
        """
        Let the operator *name* sign in as *user* as well. Raises SignInRefused.

        Sessions by another identity end, except the session with the secret *but*.
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
        facts = facts_of(user)
        role = self._rules.role_of(facts)
        if role is None:
            raise SignInRefused(NO_ROLE)
        basis = RoleBasis(self._rules.fingerprint, facts)
        return self._create(NewOperator(_name(user), role, identity=user.identity, basis=basis))

    def _create(self, operator: NewOperator) -> Operator:
        with self._audit.change(self._actor(operator.name), "operator.create", "", operator.name) as change:
            created = self._operators.create_verified(operator)
            change.after = created.public()
        return created

    def _assign(
        self, operator: Operator, role: Role | None, facts: frozenset[str], *, signed_in: bool
    ) -> Operator:
        """Assign *role*, or None to suspend, and return the operator; recorded if it changes them."""
        name, basis = operator.name, RoleBasis(self._rules.fingerprint, facts)
        present = None if operator.suspended else operator.role
        if role is present:
            with suppress(InvalidRequest):
                self._operators.assign_role(name, role, basis, signed_in=signed_in)
            return operator
        action = "operator.suspend" if role is None else "operator.role"
        with (
            suppress(InvalidRequest),  # the last owner stays an owner
            self._audit.change(self._actor(name), action, "", name) as change,
        ):
            self._operators.assign_role(name, role, basis, signed_in=signed_in)
            changed = self._operators.find(name)
            change.before, change.after = operator.public(), changed.public()
        return self._operators.find(name)

    def _actor(self, name: str) -> Actor:
        return Actor(name, Via.PAGE, self._address)


def _name(user: ExternalUser) -> str:
    """Return a name for *user*, without characters that names may not have. Raises SignInRefused."""
    allowed = "".join(letter if letter.isalnum() or letter in "._@+-" else "-" for letter in user.name)
    try:
        return checked_name(normalize_name(allowed)[:64])
    except InvalidRequest:
        raise SignInRefused("The sign-in service reported no name of yours that can be used here") from None
