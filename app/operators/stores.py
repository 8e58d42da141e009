"""Who may come in to the admin pages and their API, and by which way."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.operators.admin_tokens import AdminTokenRepository
from app.operators.login_throttle import LoginThrottle
from app.operators.operators import OperatorRepository
from app.operators.sessions import SessionRepository
from app.stores.scripts import Scripts
from app.stores.secrets import Vault


@dataclass(frozen=True, slots=True)
class OperatorStores:
    operators: OperatorRepository
    sessions: SessionRepository
    tokens: AdminTokenRepository
    attempts: LoginThrottle
    cookie_keys: tuple[str, ...] = field(repr=False)  # they sign the cookie; newest first


def operator_stores_of(scripts: Scripts, vault: Vault) -> OperatorStores:
    return OperatorStores(
        operators=OperatorRepository(scripts, vault),
        sessions=SessionRepository(scripts),
        tokens=AdminTokenRepository(scripts),
        attempts=LoginThrottle(scripts),
        cookie_keys=vault.derived("admin cookie"),
    )
