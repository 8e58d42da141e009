"""Operators, their sessions and their admin tokens, as they are stored."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from app.errors import InvalidRequest
from app.records import public_fields

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


class TokenScope(StrEnum):
    READ = "read"  # only calls that change nothing and return no secret
    FULL = "full"


class Role(StrEnum):
    """What an operator may do, from least to most."""

    VIEWER = "viewer"  # reads pages and exports without secrets; changes only their own sign-in
    ADMIN = "admin"  # changes everything except operators and what belongs to them
    OWNER = "owner"

    def includes(self, other: Role) -> bool:
        """Return whether this role may do everything that *other* may do."""
        ranks = tuple(Role)
        return ranks.index(self) >= ranks.index(other)


class SignInMethod(StrEnum):
    PASSWORD = "password"
    OIDC = "oidc"  # an OpenID Connect issuer
    HEADER = "header"  # the header of a trusted proxy


class OperatorJson(TypedDict):
    """The public fields of an Operator."""

    name: str
    role: Role
    created_at: float
    password_at: float | None
    signed_in_at: float | None
    methods: tuple[SignInMethod, ...]
    role_by_rules: bool
    suspended: bool
    second_factor: bool
    recovery_codes: int


@dataclass(frozen=True, slots=True)
class Operator:
    """
    An operator. Times are Unix seconds, None for never; `recovery_codes` is the number of unused codes.

    With `role_by_rules` each sign-in assigns the role, by the rules of the settings. A `suspended` operator
    has no role by them: they have no session, and their admin tokens do not work.
    """

    name: str
    role: Role
    created_at: float
    password_at: float | None
    signed_in_at: float | None
    methods: tuple[SignInMethod, ...]
    role_by_rules: bool
    suspended: bool
    second_factor: bool
    recovery_codes: int

    @property
    def lacks_second_factor(self) -> bool:
        """Whether a password alone signs the operator in."""
        return SignInMethod.PASSWORD in self.methods and not self.second_factor

    def public(self) -> OperatorJson:
        return public_fields(self, OperatorJson)


@dataclass(frozen=True, slots=True)
class Identity:
    """
    Who an operator is at another service, which verifies it.

    `issuer` and `subject` identify the operator there; the store has only `digest`, a hash of both.
    """

    method: SignInMethod
    issuer: str
    subject: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.method}\0{self.issuer}\0{self.subject}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RoleBasis:
    """The `facts` about a person that rules match, as digests, and the fingerprint of the `rules`."""

    rules: str
    facts: frozenset[str]


@dataclass(frozen=True, slots=True)
class NewOperator:
    """
    An operator to be created, with a password or an `identity`.

    `start_digest` is the SHA-256 (hex) of a start token, `invitation_digest` that of an invitation, whose
    role replaces `role`. With a `basis` the role is by rules, which assign it again at each sign-in.
    """

    name: str
    role: Role = Role.OWNER
    password_hash: str = ""
    identity: Identity | None = None
    basis: RoleBasis | None = None
    start_digest: str = ""
    invitation_digest: str = ""


class SessionJson(TypedDict):
    """The public fields of a Session."""

    id: str
    operator: str
    method: SignInMethod
    address: str
    agent: str
    opened_at: float
    seen_at: float
    ends_at: float


@dataclass(frozen=True, slots=True)
class Session:
    """`id` is public; times are Unix seconds; `agent` is the browser's User-Agent."""

    id: str
    operator: str
    method: SignInMethod
    address: str
    agent: str
    opened_at: float
    seen_at: float
    ends_at: float

    def public(self) -> SessionJson:
        return public_fields(self, SessionJson)


@dataclass(frozen=True, slots=True)
class ActiveSession:
    """
    A session that is being used, with the present role of its operator.

    `is_stale`: the role was assigned by rules that are no longer those of the settings. With
    `lacks_second_factor` the operator has to set one up before anything else.
    """

    session: Session
    role: Role
    is_stale: bool = False
    lacks_second_factor: bool = False


class SignInPolicyJson(TypedDict):
    """The public fields of a SignInPolicy."""

    second_factor_required: bool


@dataclass(frozen=True, slots=True)
class SignInPolicy:
    """With `second_factor_required`, operators who sign in with a password need a second factor."""

    second_factor_required: bool = False

    def public(self) -> SignInPolicyJson:
        return public_fields(self, SignInPolicyJson)


class AdminTokenJson(TypedDict):
    """The public fields of an AdminToken."""

    name: str
    scope: TokenScope
    operator: str | None
    created_by: str
    created_at: float
    expires_at: float | None
    used_at: float | None


@dataclass(frozen=True, slots=True)
class AdminToken:
    """
    Times are Unix seconds, None for never.

    `operator` is the operator whose removal revokes it: '' for none, None for a token stored by a
    version that did not record it.
    """

    name: str
    scope: TokenScope
    operator: str | None
    created_by: str
    created_at: float
    expires_at: float | None
    used_at: float | None = None

    def public(self) -> AdminTokenJson:
        return public_fields(self, AdminTokenJson)


@dataclass(frozen=True, slots=True)
class ActiveToken:
    """
    An admin token that is being used; `role` is the present one of its operator, OWNER without one.

    `is_stale`: the role was assigned by rules that are no longer those of the settings.
    """

    token: AdminToken
    role: Role
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class NewAdminToken:
    """An admin token to create; `name` is a result of `checked_name`, other fields are as in AdminToken."""

    name: str
    created_by: str
    operator: str = ""
    scope: TokenScope = TokenScope.FULL
    expires_at: float | None = None


def checked_role(text: str) -> Role:
    """Return the role called *text*. Raises InvalidRequest for an unknown one."""
    try:
        return Role(text)
    except ValueError:
        raise InvalidRequest("must be owner, admin or viewer", param="role") from None


def checked_scope(text: str) -> TokenScope:
    """Return the scope called *text*. Raises InvalidRequest for an unknown one."""
    try:
        return TokenScope(text)
    except ValueError:
        raise InvalidRequest("must be read or full", param="scope") from None


def normalize_name(text: str) -> str:
    """Return the form in which the name *text* is stored."""
    return unicodedata.normalize("NFKC", text).strip().lower()


def is_name(name: str) -> bool:
    """Return whether *name* is a valid name of an operator or admin token, in its stored form."""
    return _NAME.fullmatch(name) is not None


def checked_name(text: str) -> str:
    """Return *text* normalized when it is a valid name. Raises InvalidRequest."""
    name = normalize_name(text)
    if not is_name(name):
        raise InvalidRequest("must be 1 to 64 letters, digits, '.', '_', '@', '+' or '-'", param="name")
    return name
