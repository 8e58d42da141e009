"""
The rules of the settings that give roles to people whom another service has verified. Pure.

The facts about a person that rules match are stored as digests, so that changed rules apply before the next
sign-in. Each digest includes the service that verified the person: a fact from another service does not
match.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from app.config import ANY_PERSON, RoleRule, SignInSettings
from app.operators.external_users import ExternalUser
from app.stores.records.operators import Role, SignInMethod
from app.stores.secrets import digest_of

FACT_CHARS = 24  # length of a digest: ninety-six bits

Source = tuple[SignInMethod, str]  # the issuer, or the name of the header in lower case


@dataclass(frozen=True, slots=True)
class RoleRules:
    rules: tuple[RoleRule, ...] = ()
    sources: tuple[Source, ...] = ()

    @classmethod
    def of(cls, settings: SignInSettings) -> RoleRules:
        """Return the rules of *settings*, for the services that may sign people in."""
        services = (
            (SignInMethod.OIDC, settings.oidc_issuer),
            (SignInMethod.HEADER, settings.user_header.lower()),
        )
        return cls(settings.roles, tuple(source for source in services if source[1]))

    @property
    def fingerprint(self) -> str:
        """Return a short text that changes with the rules and the services."""
        rules = sorted((rule.role, rule.kind, rule.value) for rule in self.rules)
        return digest_of(repr((rules, sorted(self.sources))))[:FACT_CHARS]

    def role_of(self, facts: Collection[str]) -> Role | None:
        """Return the highest role that the rules give a person with *facts*, None if no rule matches."""
        roles = (
            Role(rule.role)
            for rule in self.rules
            if any(
                _fact(source, rule.kind, _normalized(rule.kind, rule.value)) in facts
                for source in self.sources
            )
        )
        return max(roles, key=tuple(Role).index, default=None)


def facts_of(user: ExternalUser) -> frozenset[str]:
    """Return the facts about *user* that rules may match."""
    source = (user.identity.method, user.identity.issuer)
    return frozenset(_fact(source, kind, value) for kind, value in _matchable(user))


def _matchable(user: ExternalUser) -> Iterator[tuple[str, str]]:
    yield ANY_PERSON, ""
    for group in user.groups:
        yield "group", group
    if user.email:
        yield "email", _normalized("email", user.email)
        yield "domain", _normalized("domain", user.email.rpartition("@")[2])


def _normalized(kind: str, value: str) -> str:
    match kind:
        case "email":
            return value.lower()
        case "domain":
            return value.lower().lstrip("@")
    return value


def _fact(source: Source, kind: str, value: str) -> str:
    return digest_of("\0".join((*source, kind, value)))[:FACT_CHARS]
