"""People whom another service has verified, and the role that the rules of the settings give them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.config import ANY_PERSON, RoleRule
from app.stores.records.operators import Identity, Role


@dataclass(frozen=True, slots=True)
class ExternalUser:
    """`email` is '' unless the service has verified it; `name` is the suggested name of the operator."""

    identity: Identity
    name: str
    email: str = ""
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """What the browser that began a sign-in has to bring back."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


def role_of(user: ExternalUser, rules: Iterable[RoleRule]) -> Role | None:
    """Return the highest role that *rules* give *user*, None when none of them fits."""
    roles = {Role(rule.role) for rule in rules if _fits(rule, user)}
    return max(roles, key=tuple(Role).index, default=None)


def _fits(rule: RoleRule, user: ExternalUser) -> bool:
    match rule.kind:
        case "group":
            return rule.value in user.groups
        case "email":
            return rule.value.lower() == user.email.lower()
        case "domain":
            return rule.value.lower().lstrip("@") == user.email.lower().rpartition("@")[2]
    return rule.kind == ANY_PERSON
