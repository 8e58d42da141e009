"""Requests in the ledger: the filter by names, the JSON of an entry, and its view as a table row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import NoAccounts
from app.formatting import name_or_id
from app.ledger.answers import answers_of, serialize_answer
from app.ledger.explain import PassedModel
from app.ledger.query import LedgerQuery, is_cached
from app.presentation.accounts import candidate_label
from app.presentation.names import Names
from app.stores.ledger import LedgerRepository
from app.stores.records.ledger import FALLBACK_FIGURES, AttemptEntry, LedgerEntry
from schemas.key_labels import parse_label_filters

NEWEST = 300  # ledger entries searched for errors
INTERNAL = ("at_ms", "day_ms", "affinity", "attempts_counted", "models", "errors", *FALLBACK_FIGURES)


def ledger_query(names: Names, params: Mapping[str, Any]) -> LedgerQuery:
    """Return the query for *params*, those of a valid RequestsQuery. Raises InvalidRequest."""
    return LedgerQuery(
        key=names.id_of("key", params.get("key", "")),
        account=names.id_of("account", params.get("account", "")),
        tried=names.id_of("account", params.get("tried", ""), param="tried"),
        model=params.get("model", ""),
        requested=params.get("requested", ""),
        team=params.get("team", ""),
        owner=params.get("owner", ""),
        labels=parse_label_filters(params.get("label", "")),
        endpoint=params.get("endpoint", ""),
        status=params.get("status", ""),
        error=params.get("error", ""),
        retried=_flag(params, "retried"),
        cached=_flag(params, "cached"),
        min_ms=params.get("min_ms", 0),
        min_cost=params.get("min_cost", 0),
        since=params.get("since"),
        until=params.get("until"),
        refused=params.get("refused") == "true",
    )


def _flag(params: Mapping[str, Any], name: str) -> bool | None:
    return {"true": True, "false": False}.get(params.get(name, ""))


def serialize_entry(entry: LedgerEntry, names: Names, answer: LedgerEntry | None = None) -> dict[str, Any]:
    """Return the public fields of *entry*, with names; *answer* is that of a later model, if it failed."""
    public = {name: value for name, value in entry.row.items() if name not in INTERNAL}
    return public | {
        "entry": entry.id,
        "at": entry.started_at,
        "ended_at": entry.ended_at,
        "key": names.named("key", entry.key_id),
        "account": names.named("account", entry.account_id),
        "requested_model": entry.requested_model or None,
        "answered_by": serialize_answer(answer),
    }


@dataclass(frozen=True, slots=True)
class RequestView:
    """A ledger entry, or one attempt in it, as a table row."""

    entry: LedgerEntry
    names: Names
    attempt: AttemptEntry | None = None  # the attempt to show, for a row of one attempt
    answer: LedgerEntry | None = None  # that of a later model, if this one failed

    @property
    def key(self) -> str:
        return self.names.label("key", self.entry.key_id)

    @property
    def account(self) -> str:
        """The account that answered; `refused` if none was tried."""
        if self.entry.is_refused:
            return "refused"
        return self.names.label("account", self.entry.account_id)

    @property
    def key_filter(self) -> str:
        """The value of the filter `key`: the name of the key, or its id if it was removed."""
        return self.names.key.get(self.entry.key_id, self.entry.key_id)

    @property
    def account_filter(self) -> str:
        """The value of the filter `account`, likewise; '' without an account."""
        return self.names.account.get(self.entry.account_id, self.entry.account_id)

    @property
    def team(self) -> str:
        return str(self.entry.row.get("team") or "")

    @property
    def endpoint(self) -> str:
        return str(self.entry.row.get("endpoint") or "")

    @property
    def is_cached(self) -> bool:
        """Whether it was answered from the response cache."""
        return is_cached(self.entry.row)

    @property
    def requested_model(self) -> str:
        """The model as the client named it, if another model served; else ''."""
        return self.entry.requested_model

    @property
    def error(self) -> str:
        return str(self.entry.row.get("error") or "")

    @property
    def message(self) -> str:
        """The error message that the caller of a refused request received."""
        return str(self.entry.row.get("message") or "")

    @property
    def error_name(self) -> str:
        """The error code, else the upstream's type of error, else the name of the status; '' if answered."""
        return self.entry.error_name

    @property
    def failure(self) -> str:
        """The failure, and what answered afterwards: another account or a later model; '' without one."""
        what = (self.attempt and self.attempt.reason) or self.error_name
        if self.answer is not None:
            return f"{what}, then answered by {self.answer.model}"
        return f"{what}, rescued by another account" if what and self.entry.status < 400 else what

    @property
    def tries(self) -> int:
        return len(self.entry.row.get("attempts") or ())

    def number(self, name: str) -> float | None:
        """Return the figure *name*, None if the entry does not have it."""
        value = self.entry.row.get(name)
        return value if isinstance(value, int | float) else None


def request_views(
    ledger: LedgerRepository, pool: str, entries: Sequence[LedgerEntry], names: Names
) -> list[RequestView]:
    """Return the rows of *entries*, of which those that failed have the answer of a later model."""
    answers = answers_of(ledger, pool, entries)
    return [RequestView(entry, names, answer=answers.get(entry.request_id)) for entry in entries]


def serialize_entries(
    ledger: LedgerRepository, pool: str, entries: Sequence[LedgerEntry], names: Names
) -> list[dict[str, Any]]:
    """Return *entries* as JSON, of which those that failed have the answer of a later model."""
    answers = answers_of(ledger, pool, entries)
    return [serialize_entry(entry, names, answers.get(entry.request_id)) for entry in entries]


def recent_errors(entries: LedgerRepository, pool: str, names: Names) -> dict[str, list[RequestView]]:
    """
    Return the failed attempts of the newest requests of *pool*, by account id, newest first.

    Includes attempts after which another account answered; at most one row per request and account.
    """
    errors: dict[str, list[RequestView]] = defaultdict(list)
    newest = entries.newest(pool, NEWEST)[::-1]
    answers = answers_of(entries, pool, newest)
    for entry in newest:
        failed = {attempt.account: attempt for attempt in entry.attempts if attempt.is_failure_of_account}
        if entry.status >= 400 and entry.status != 499:
            failed.setdefault(entry.account_id, AttemptEntry(entry.account_id))
        for account_id, attempt in failed.items():
            errors[account_id].append(RequestView(entry, names, attempt, answers.get(entry.request_id)))
    return errors


def passed_over_text(passed: PassedModel) -> str:
    """Return the sentence that a model did not admit a request, and why."""
    whys = [f"{name_or_id(one['account'])} ({candidate_label(one['why'])})" for one in passed["candidates"]]
    no_account = "no account was available" if passed["error"] == NoAccounts.code else passed["error"]
    return f"{passed['model']} was passed over: {', '.join(whys) or no_account}."
