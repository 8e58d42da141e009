"""
Figures of the attempts in a ledger entry, by account; app/stores/lua/attempts.lua computes the same.

A roll-up counts a request once, for the account that was tried last; EXTRA counts the other attempts.
"""

from __future__ import annotations

from collections import Counter

from app.stores.records.accounts import FAILURE_PREFIX
from app.stores.records.ledger import EXTRA, FAILED, RESCUES, AttemptEntry, Row


def attempt_figures(row: Row) -> dict[str, Counter[str]]:
    """Return {account id: {figure: amount}} as roll-ups count it; {} for a single successful attempt."""
    if not row.get("attempts_counted"):
        return {}
    attempts = [AttemptEntry.from_json(attempt) for attempt in row["attempts"]]
    last = attempts[-1]
    was_answered = not last.failure and row["status"] < 400
    by_account: dict[str, Counter[str]] = {}
    for attempt in attempts:
        figures = by_account.setdefault(attempt.account, Counter())
        figures[EXTRA] += 1
        if attempt.failure:
            figures[FAILURE_PREFIX + attempt.failure] += 1
            was_rescued = was_answered and attempt.account != last.account
            if was_rescued or attempt.is_failure_of_account:
                figures[FAILED] += 1
                figures[RESCUES] += int(was_rescued)
    if row["account"] in by_account:
        by_account[row["account"]][EXTRA] -= 1
    return by_account
