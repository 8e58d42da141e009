"""Who may come in to the admin pages and their API, and by which way."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.operators.admin_tokens import TokenBook
from app.operators.login_throttle import Attempts
from app.operators.operators import OperatorBook
from app.operators.sessions import SessionBook
from app.stores.scripts import Scripts
from app.stores.secrets import Vault


@dataclass(frozen=True, slots=True)
class Doors:
    operators: OperatorBook
    sessions: SessionBook
    tokens: TokenBook
    attempts: Attempts
    cookie_keys: tuple[str, ...] = field(repr=False)  # they sign the cookie; newest first


def doors_of(scripts: Scripts, vault: Vault) -> Doors:
    return Doors(
        operators=OperatorBook(scripts, vault),
        sessions=SessionBook(scripts),
        tokens=TokenBook(scripts),
        attempts=Attempts(scripts),
        cookie_keys=vault.derived("admin cookie"),
    )
