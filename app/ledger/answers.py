"""
The answers of later models: which model answered a request after it had failed at one.

A request has an entry for each model that it was tried at. That of a failure states at how many models the
request could be tried, so only the entries of such requests are looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict

from app.stores.ledger import LedgerRepository, ids_at_models, request_of
from app.stores.records.ledger import LedgerEntry

FAILED_FROM = 400  # status


class AnswerJson(TypedDict):
    """The model that answered a request, and the id of the request there."""

    id: str
    model: str


def answers_of(ledger: LedgerRepository, pool: str, entries: Sequence[LedgerEntry]) -> dict[str, LedgerEntry]:
    """
    Return the entry with the answer of each of *entries* that failed before, by its request id.

    Answers are among *entries*, or at most a day old. At most two round trips; none without a failure at one
    of several models.
    """
    known = {request_of(entry.request_id): entry for entry in entries if is_answer(entry)}
    failed = [entry for entry in entries if entry.status >= FAILED_FROM and entry.models > 1]
    unknown = {one: entry for entry in failed if (one := request_of(entry.request_id)) not in known}
    ids = [each for entry in unknown.values() for each in ids_at_models(entry.request_id, entry.models)]
    known |= {
        request_of(entry.request_id): entry for entry in _settled(ledger, pool, ids) if is_answer(entry)
    }
    answers = ((entry.request_id, known.get(request_of(entry.request_id))) for entry in failed)
    return {request_id: answer for request_id, answer in answers if answer is not None}


def answered_before(
    ledger: LedgerRepository, pool: str, entries: Iterable[LedgerEntry]
) -> Iterator[tuple[LedgerEntry, LedgerEntry]]:
    """Yield (failure, answer) for each failure after which one of *entries* answered."""
    answers = {request_of(entry.request_id): entry for entry in entries if is_answer(entry)}
    ids = [each for one in answers for each in ids_at_models(one)]
    for entry in _settled(ledger, pool, ids):
        if entry.status >= FAILED_FROM:
            yield entry, answers[request_of(entry.request_id)]


def is_answer(entry: LedgerEntry) -> bool:
    """Return whether *entry* is an answer after a failure at another model."""
    return entry.status < FAILED_FROM and bool(entry.row.get("fallback_of"))


def serialize_answer(answer: LedgerEntry | None) -> AnswerJson | None:
    return None if answer is None else {"id": answer.request_id, "model": answer.model}


def _settled(ledger: LedgerRepository, pool: str, request_ids: Sequence[str]) -> Iterator[LedgerEntry]:
    if request_ids:
        entry_ids = [entry_id for entry_id in ledger.entry_ids(pool, request_ids) if entry_id]
        yield from map(LedgerEntry.parse, ledger.read(pool, entry_ids))
