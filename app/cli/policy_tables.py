"""The gateway's rules as `poolgate doctor` prints them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.accounts.failures import CONSEQUENCES, SUSPECT_BASE_SECONDS, SUSPECT_MAX_SECONDS
from app.accounts.settings import DEFAULTS
from app.accounts.verdicts import RULES as VERDICTS
from app.accounts.verdicts import Rule
from app.formatting import duration
from app.relay import retry_budget, retry_policy, waiting
from app.translation.requests.field_support import TABLES


@dataclass(frozen=True, slots=True)
class RuleTable:
    """One table, and the numbers of its rules, by description."""

    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numbers: dict[str, float]


def retries() -> RuleTable:
    """Return how failures are retried, before and after the first event has reached the caller."""
    numbers = {
        "upstream attempts per request, at most, fallbacks included": retry_policy.MAX_ATTEMPTS,
        "attempts per model, at most": retry_policy.MAX_TRIES,
        "attempts per model in the first seconds, at most": retry_policy.MAX_TRIES_AT_FIRST,
        "length of these first seconds": retry_policy.FIRST_SECONDS,
        "seconds to wait for an account before the first attempt, by default": DEFAULTS.queue_seconds,
        "the same if the request names fallbacks, at most": retry_policy.WITH_FALLBACKS_SECONDS,
        "seconds to wait for an account between attempts, at most": retry_policy.MAX_WAIT_SECONDS,
        "waiting requests per pool, by default": DEFAULTS.queue_length,
        "waiting requests per process, at most": waiting.MAX_WAITING,
        "restarts of a broken stream on the same model": retry_policy.MAX_RESTARTS,
        "retry budget: failed retries per minute, pool and process, at least": retry_budget.RETRY_FLOOR,
        "retry budget: share of its requests": retry_budget.RETRY_SHARE,
        "seconds before retrying the same account, first; doubles": retry_policy.PAUSE_BASE_SECONDS,
        "seconds before retrying the same account, at most": retry_policy.PAUSE_MAX_SECONDS,
    }
    rows = [(failure.value, *(action.value for action in row)) for failure, row in retry_policy.TABLE.items()]
    return RuleTable(("FAILURE", "BEFORE THE FIRST EVENT", "AFTER IT"), rows, numbers)


def fields() -> RuleTable:
    """Return how every request field is handled, by the protocol of the account."""
    rows = [
        (
            endpoint,
            field,
            *(
                support.value
                for support in (row.native, row.openai or row.native, row.translated, row.chatgpt)
            ),
        )
        for endpoint, table in TABLES.items()
        for field, row in sorted(table.items())
    ]
    return RuleTable(("ENDPOINT", "FIELD", "SAME PROTOCOL", "OPENAI", "TRANSLATED", "CHATGPT"), rows, {})


def states() -> RuleTable:
    """Return the verdict table: how failures affect their account, in the order in which rows are tested."""
    numbers = {
        "seconds of the first back-off; doubles with each consecutive failure": SUSPECT_BASE_SECONDS,
        "seconds of a back-off, at most": SUSPECT_MAX_SECONDS,
    }
    return RuleTable(
        (
            "KIND",
            "STATUS",
            "CODE OR WORDS",
            "BODY",
            "REPORTED BY",
            "FAILURE",
            "SCOPE",
            "FOR",
            "CALLER RECEIVES",
        ),
        [_verdict_row(rule) for rule in VERDICTS],
        numbers,
    )


def _verdict_row(rule: Rule) -> tuple[str, ...]:
    consequence = CONSEQUENCES[rule.failure]
    return (
        " ".join(sorted(rule.kinds)) or "any",
        rule.status_text,
        rule.condition_text,
        ", ".join(sorted(rule.shapes)) or "any",
        " ".join(sorted(rule.parts)) or "any",
        rule.failure.value,
        consequence.scope.value,
        _duration(rule),
        consequence.caller_error.value,
    )


def _duration(rule: Rule) -> str:
    consequence = CONSEQUENCES[rule.failure]
    seconds = consequence.seconds if rule.seconds is None else rule.seconds
    if seconds is None:
        return "until a test or a new credential succeeds"
    if consequence.is_suspicion:
        return f"{duration(seconds)}, doubling; then one test"
    return f"as the upstream specifies, else {duration(seconds)}" if seconds else "-"


RULES: dict[str, Callable[[], RuleTable]] = {"retries": retries, "fields": fields, "states": states}
