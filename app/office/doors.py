"""Who may come in to the admin pages and their API, and by which way."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.office.attempts import Attempts
from app.office.operators import OperatorBook
from app.office.sessions import SessionBook
from app.office.tokens import TokenBook
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
