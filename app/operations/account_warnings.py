"""Warnings about probable mistakes in the settings of an account; the change is not refused."""

from __future__ import annotations

from collections.abc import Iterator

from app.accounts.account import Account
from app.suggestions import aside
from app.translation.requests.field_support import TABLES

KNOWN_FIELDS = frozenset(field for table in TABLES.values() for field in table)


def account_warnings(account: Account) -> Iterator[str]:
    """Yield a sentence for each body field that *account* sets or drops and that resembles a known one."""
    for name in (*account.settings.set_fields, *account.settings.drop_fields):
        if name not in KNOWN_FIELDS and (meant := aside(name, sorted(KNOWN_FIELDS))):
            yield f"no request has a field '{name}' that the gateway knows{meant}"
