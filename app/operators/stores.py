"""The stores that authenticate operators: their records, sessions and admin tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.operators.operators import Operators
from app.operators.role_rules import RoleRules
from app.operators.sign_in_throttle import SignInThrottle
from app.stores.admin_tokens import AdminTokenRepository
from app.stores.invitations import InvitationRepository
from app.stores.operators import OperatorRepository
from app.stores.scripts import Scripts
from app.stores.secrets import Vault
from app.stores.sessions import SessionRepository
from app.stores.sign_in_attempts import SignInAttemptRepository
from app.stores.sign_in_policy import SignInPolicyRepository


@dataclass(frozen=True, slots=True)
class OperatorStores:
    operators: Operators
    invitations: InvitationRepository
    policy: SignInPolicyRepository
    sessions: SessionRepository
    admin_tokens: AdminTokenRepository
    sign_in_throttle: SignInThrottle
    cookie_keys: tuple[str, ...] = field(repr=False)  # keys that sign the session cookie; newest first

    @classmethod
    def build(cls, scripts: Scripts, vault: Vault, rules: RoleRules) -> OperatorStores:
        return cls(
            operators=Operators(OperatorRepository(scripts, vault)),
            invitations=InvitationRepository(scripts),
            policy=SignInPolicyRepository(scripts),
            sessions=SessionRepository(scripts, rules.fingerprint),
            admin_tokens=AdminTokenRepository(scripts, rules.fingerprint),
            sign_in_throttle=SignInThrottle(SignInAttemptRepository(scripts)),
            cookie_keys=vault.derived("admin cookie"),
        )
