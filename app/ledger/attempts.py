"""
What a ledger row says about attempts, by account: the twin of app/stores/lua/attempts.lua.

A roll-up counts a request once, at the account that was tried last; EXTRA is what attempts there are more.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

EXTRA, FAILED, RESCUES = "extra_attempts", "failed_attempts", "rescues"
OF_FAILURE = "failed:"  # + the failure


def attempt_figures(row: dict[str, Any]) -> dict[str, Counter[str]]:
    """Return {account id: {figure: amount}} as roll-ups have it; {} where it is one success."""
    if not row.get("attempts_counted"):
        return {}
    attempts = row["attempts"]
    last = attempts[-1]
    answered = "failure" not in last and row["status"] < 400
    found: dict[str, Counter[str]] = {}
    for attempt in attempts:
        figures = found.setdefault(attempt["account"], Counter())
        figures[EXTRA] += 1
        if "failure" in attempt:
            figures[OF_FAILURE + attempt["failure"]] += 1
            rescued = answered and attempt["account"] != last["account"]
            if rescued or attempt.get("scope") != "request":
                figures[FAILED] += 1
                figures[RESCUES] += int(rescued)
    if row["account"] in found:
        found[row["account"]][EXTRA] -= 1
    return found
