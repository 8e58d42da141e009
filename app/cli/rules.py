"""The gateway's rules as `poolgate doctor` prints them: the tables that it works by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.pool.failures import CONSEQUENCES, Belief, Suspicion
from app.relay import decisions
from app.translation.fields import TABLES


@dataclass(frozen=True, slots=True)
class Rules:
    """One table, and below it the numbers that go with it, by what they are."""

    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numbers: dict[str, float]


def retries() -> Rules:
    """What is done about a failure, before and after the caller has been given something."""
    numbers = {
        "upstream attempts for one request, at most": decisions.MOST_TRIES,
        "of them in the first seconds": decisions.MOST_TRIES_AT_FIRST,
        "these first seconds": decisions.FIRST_SECONDS,
        "seconds to wait for an account that comes back, at most": decisions.MOST_WAIT_SECONDS,
        "requests of a process that may ask an account again, at least": decisions.REPEATS_FLOOR,
        "or this part of those it has open": decisions.REPEATS_SHARE,
        "seconds before the same account is asked again, first; doubling": decisions.PAUSE_BASE_SECONDS,
        "seconds before the same account is asked again, at most": decisions.PAUSE_MOST_SECONDS,
    }
    rows = [(failure.value, *(action.value for action in row)) for failure, row in decisions.TABLE.items()]
    return Rules(("FAILURE", "BEFORE THE FIRST EVENT", "AFTER IT"), rows, numbers)


def fields() -> Rules:
    """What becomes of every request field, by how the account that serves speaks."""
    rows = [
        (
            surface,
            field,
            *(fate.value for fate in (row.native, row.openai or row.native, row.translated, row.chatgpt)),
        )
        for surface, table in TABLES.items()
        for field, row in sorted(table.items())
    ]
    return Rules(("SURFACE", "FIELD", "SAME WIRE", "OPENAI ITSELF", "TRANSLATED", "CHATGPT"), rows, {})


def states() -> Rules:
    """What a failure does to the account it happened at."""
    rows = [(failure.value, *_consequence(found)) for failure, found in CONSEQUENCES.items()]
    return Rules(("FAILURE", "ACCOUNT IS", "FOR HOW LONG"), rows, {})


def _consequence(found: Belief | Suspicion | None) -> tuple[str, str]:
    if found is None:
        return "as it was", ""
    if isinstance(found, Suspicion):
        return "suspected", f"{found.base_seconds:g} s, doubling to {found.most_seconds:g} s; then one test"
    state = "overloaded for this model" if found.state == "overloaded" else found.state
    if found.person_needed:
        return state, "until a person, or a renewed sign-in, brings it back"
    return state, f"as the upstream says, else {found.default_seconds:g} s"


RULES: dict[str, Callable[[], Rules]] = {"retries": retries, "fields": fields, "states": states}
