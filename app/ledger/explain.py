"""Explain how a request was routed, from the decisions that were stored at each choice of an account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, cast

import orjson

from app.errors import NotFound
from app.formatting import NamedId, named_id
from app.ledger import explanations
from app.ledger.answers import FAILED_FROM, AnswerJson, serialize_answer
from app.ledger.choices import Choice, choices_of
from app.ledger.index import BlockMissing, IndexLookup, LedgerIndex
from app.ledger.refusal_log import MAX_ENTRIES
from app.stores.ledger import LedgerRepository, ids_at_models, request_of
from app.stores.records.ledger import (
    FIGURES,
    UNREPORTED,
    LedgerEntry,
    OpenRequest,
    PassedOverRow,
    StoredEntry,
    WaitingRequest,
)
from app.stores.refusals import MAX_STORED, RefusalRepository

UNSTORED_REFUSAL = (
    f"If it was refused, its details are not stored: of a pool, those of the newest {MAX_STORED} refusals"
    f" are, and of a key those of at most {MAX_ENTRIES} per second with the same code in each process"
)
PAGE = 500  # ledger entries read at a time
EXPLAINED = ("error_name", "stopped")  # of a summary: parts of the sentences in its explanation
USAGE = ("source", *FIGURES, "counted_by", "unreported", "unlimited", *UNREPORTED)

Json = dict[str, Any]


class PassedAccount(TypedDict):
    account: NamedId
    why: str


class PassedModel(TypedDict):
    """A model that did not admit a request, the code of its error, and why each account was not chosen."""

    model: str
    error: str
    candidates: list[PassedAccount]


class RequestExplanation(TypedDict, total=False):
    """
    How a request was routed; the last five fields exist only in some states.

    - state: waiting | open | expired | settled | refused. A refused request also has message, param, limit,
      accounts; one that waits for an account `before`, the number of requests that wait before it.
    - at is when it arrived, in Unix seconds; queued_ms is how long it waited for an account before it was
      admitted, None if it did not wait.
    - team, owner and labels are those of the key at the time, None if it had none; owner and labels of an
      open request are the current ones. requested_model is None if it is the same as model.
    - continued_as is the id of the request at the next model, if this one failed; None: there was none,
      or it is a day ago. If its first models did not admit a request, the first that did is explained; after
      a day, the last.
      continues is the id of the request at the model that failed before, likewise. answered_by is the model
      that answered it after this one failed, and its id there; None: none did.
    - passed_over are the models that were to serve it before, and did not admit it.
    - outcome is a sentence; charged is a sentence about usage that was not reported, or empty.
    - usage has the figures of the ledger, none while the request is open.

    A key or an account is {id, name}; the name of a removed one is None, and it also has its former_name if
    that is known.
    """

    id: str
    state: str
    at: float
    key: NamedId
    team: str | None
    owner: str | None
    labels: Mapping[str, str]
    model: str
    requested_model: str | None
    endpoint: str
    status: int | None
    error: str | None
    outcome: str
    continued_as: str | None
    continues: str | None
    answered_by: AnswerJson | None
    queued_ms: int | None
    passed_over: list[PassedModel]
    charged: str
    usage: Json
    choices: list[Choice]
    message: str
    param: str | None
    limit: Json | None
    accounts: Json | None
    before: int


@dataclass(frozen=True, slots=True)
class _Request:
    """A stored request: its summary, as `explain` returns it, its decisions and its attempts."""

    summary: Json
    decisions: list[Json]
    attempts: list[Json]


@dataclass(frozen=True, slots=True)
class _OtherModels:
    """The ids of a request at the models before and after one, or None, and the ids of all their entries."""

    before: str | None
    next: str | None
    entry_ids: Sequence[str]


class RequestExplainer:
    """
    Explains requests of a pool.

    *account_names* returns {id: name} for a pool, *key_name* the name for a key id, None if the key was
    removed, and *former_names* {id: name} of removed keys and accounts.
    """

    def __init__(
        self,
        ledger: LedgerRepository,
        index: LedgerIndex,
        refusals: RefusalRepository,
        account_names: Callable[[str], Mapping[str, str]],
        key_name: Callable[[str, str], str | None],
        former_names: Callable[[str], Mapping[str, str]],
    ) -> None:
        self._ledger = ledger
        self._index = index
        self._refusals = refusals
        self._account_names = account_names
        self._key_name = key_name
        self._former_names = former_names

    def explain(
        self, pool: str, request_id: str, *, entry_id: str = "", max_entries: int | None = None
    ) -> RequestExplanation:
        """
        Return how *request_id*, open or settled, was routed; `RequestExplanation` has the fields.

        *entry_id* is the id of its ledger entry, if that is known; else *max_entries* limits how many entries
        that are not indexed are scanned. Raises NotFound.
        """
        request = self._find(pool, request_id, entry_id, max_entries)
        has_failed = request is None or (request.summary["status"] or 0) >= FAILED_FROM
        others = self._at_other_models(pool, request_id)
        if request is None:
            later_id, entry_id = self._later(pool, request_id, others, max_entries)
            return self.explain(pool, later_id, entry_id=entry_id, max_entries=max_entries)
        before = request.summary.pop("fallback_of", None) or others.before
        request.summary.update(continues=before, continued_as=None, answered_by=None)
        if has_failed:
            answer = self._answer(pool, others)
            request.summary.update(continued_as=others.next, answered_by=serialize_answer(answer))
        return self._explanation(pool, request)

    def _later(
        self, pool: str, request_id: str, others: _OtherModels, max_entries: int | None
    ) -> tuple[str, str]:
        """
        Return the id of *request_id* at a later model than the one that did not admit it, and of its entry.

        The latter is empty if it is not needed. Raises NotFound.
        """
        if others.next is not None:
            return others.next, ""
        ids = ids_at_models(request_id)
        later = ids[ids.index(request_id) + 1 :] if request_id in ids else []
        if unfinished := self._ledger.find_unfinished(pool, later):
            return unfinished, ""
        if (stored := self._find_entry(pool, later, "", max_entries)) is None:
            unknown = f"There is no request '{request_id[:64]}' in pool '{pool}'. {UNSTORED_REFUSAL}"
            raise NotFound(unknown, param="id")
        return LedgerEntry.parse(stored).request_id, stored.id

    def _at_other_models(self, pool: str, request_id: str) -> _OtherModels:
        ids = ids_at_models(request_id)
        recorded = {
            one: entry_id
            for one, entry_id in zip(ids, self._ledger.entry_ids(pool, ids), strict=True)
            if entry_id
        }
        at = ids.index(request_id) if request_id in ids else 0
        before = [one for one in ids[:at] if one in recorded]
        after = [one for one in ids[at + 1 :] if one in recorded]
        entry_ids = [recorded[one] for one in (*before, *after)]
        return _OtherModels(before[-1] if before else None, after[0] if after else None, entry_ids)

    def _answer(self, pool: str, others: _OtherModels) -> LedgerEntry | None:
        if not others.entry_ids:
            return None
        entries = map(LedgerEntry.parse, self._ledger.read(pool, others.entry_ids))
        return next((entry for entry in entries if entry.status < FAILED_FROM), None)

    def _find(self, pool: str, request_id: str, entry_id: str, max_entries: int | None) -> _Request | None:
        return (
            self._open(pool, request_id)
            or self._waiting(pool, request_id)
            or self._refused(pool, request_id)
            or self._settled(pool, request_id, entry_id, max_entries)
        )

    def _explanation(self, pool: str, request: _Request) -> RequestExplanation:
        summary, key_id = request.summary, request.summary["key"]
        names, former = self._account_names(pool), self._former_names(pool)

        def named_account(account_id: str) -> NamedId:
            return named_id(account_id, names.get(account_id), former)

        found: RequestExplanation = {
            "key": named_id(key_id, self._key_name(pool, key_id), former),
            "outcome": explanations.outcome(summary),
            "passed_over": [_passed_model(one, named_account) for one in summary.pop("passed_over", ())],
            "charged": explanations.charged(summary["usage"]),
            "choices": choices_of(request.decisions, request.attempts, named_account, summary),
        }
        for name in EXPLAINED:
            summary.pop(name, None)
        return cast(RequestExplanation, summary | found)

    def _open(self, pool: str, request_id: str) -> _Request | None:
        stored = self._ledger.open_request(pool, request_id)
        if stored is None:
            return None
        state = "expired" if stored.is_expired else "open"
        arrived_ms = stored.started_ms - (stored.queued_ms or 0)
        summary = _unfinished(request_id, state, arrived_ms, stored) | {"queued_ms": stored.queued_ms}
        return _Request(summary, orjson.loads(f"[{stored.decisions}]"), [])

    def _waiting(self, pool: str, request_id: str) -> _Request | None:
        """Return a request that no account has been chosen for yet."""
        stored = self._ledger.waiting_request(pool, request_id)
        if stored is None:
            return None
        summary = _unfinished(request_id, "waiting", stored.since_ms, stored) | {"before": stored.before}
        return _Request(summary, [], [])

    def _refused(self, pool: str, request_id: str) -> _Request | None:
        """Return a refusal that is stored in full; its only choice had no account to choose."""
        refusal = self._refusals.find(pool, request_id)
        if refusal is None:
            return None
        row = refusal.entry.row
        summary = {
            "id": request_id,
            "state": "refused",
            "at": refusal.entry.started_at,
            "key": refusal.entry.key_id,
            **{name: row[name] for name in ("model", "endpoint", "status", "error", "message")},
            **{name: row.get(name) for name in ("param", "limit", "accounts")},
            "team": row.get("team"),
            **_attribution(row),
            "requested_model": row.get("asked"),
            "queued_ms": row.get("queued_ms"),
            "usage": {},
        }
        decision = {"attempt": 1, "now": row["at_ms"], "chosen": "", "seen": row.get("seen")}
        decision["out"] = refusal.unavailable
        return _Request(summary, [decision] if row.get("accounts") else [], [])

    def _settled(self, pool: str, request_id: str, entry_id: str, max_entries: int | None) -> _Request | None:
        stored = self._find_entry(pool, [request_id], entry_id, max_entries)
        if stored is None:
            return None
        entry = LedgerEntry.parse(stored)
        row = entry.row
        summary = {
            "id": request_id,
            "state": "settled",
            "at": entry.started_at,
            **{name: row[name] for name in ("key", "model", "endpoint", "status")},
            "team": row.get("team"),
            **_attribution(row),
            "requested_model": row.get("asked"),
            "error": row.get("error"),
            "queued_ms": row.get("queued_ms"),
            "fallback_of": row.get("fallback_of"),
            "passed_over": row.get("passed_over") or (),
            "error_name": entry.error_name,
            "stopped": row.get("stopped"),
            "usage": {name: row[name] for name in USAGE if name in row},
        }
        return _Request(summary, orjson.loads(stored.decisions), row.get("attempts", []))

    def _find_entry(
        self, pool: str, request_ids: Sequence[str], entry_id: str, max_entries: int | None
    ) -> StoredEntry | None:
        """Return the newest entry of one of *request_ids*; *entry_id* and *max_entries* as in `explain`."""
        candidates = self._candidates(pool, request_ids, entry_id, max_entries) if request_ids else ()
        return next((one for one in candidates if LedgerEntry.parse(one).request_id in request_ids), None)

    def _candidates(
        self, pool: str, request_ids: Sequence[str], entry_id: str, max_entries: int | None
    ) -> Iterator[StoredEntry]:
        """Yield the entry of the first of *request_ids* if its place is known, else those that may match."""
        first = request_ids[0]
        if (known := self._ledger.find(pool, first, entry_id)) is not None:
            yield known
            return
        blocks = self._index.blocks(pool)[::-1]
        oldest = f"({blocks[0].last}" if blocks else "-"
        text = request_of(first)  # all of them contain it
        yield from self._scan(pool, text, oldest=oldest, max_entries=max_entries)
        try:
            for positions in self._index.find(pool, IndexLookup.of_requests(request_ids), blocks, 1):
                yield from self._ledger.read(pool, [f"{ms}-{number}" for ms, number in positions])
        except BlockMissing as missing:
            yield from self._scan(pool, text, newest=missing.block.last, max_entries=max_entries)

    def _scan(
        self, pool: str, text: str, *, newest: str = "+", oldest: str = "-", max_entries: int | None
    ) -> Iterator[StoredEntry]:
        """Yield entries that contain *text* among the newest *max_entries*, newest first."""
        scanned = 0
        while max_entries is None or scanned < max_entries:
            entries = self._ledger.read_backwards(pool, PAGE, newest=newest, oldest=oldest)
            yield from (entry for entry in entries if text in entry.row)
            if len(entries) < PAGE:
                return
            scanned += PAGE
            newest = f"({entries[-1].id}"


def _passed_model(stored: PassedOverRow, named: Callable[[str], NamedId]) -> PassedModel:
    seen: list[PassedAccount] = [
        {"account": named(one["account"]), "why": one["reason"]} for one in stored["seen"]
    ]
    return {"model": stored["model"], "error": stored["code"], "candidates": seen}


def _attribution(source: Mapping[str, Any]) -> Json:
    """Return the owner and the labels in *source*, a row or an Attribution."""
    return {"owner": source.get("owner"), "labels": dict(sorted((source.get("labels") or {}).items()))}


def _unfinished(request_id: str, state: str, since_ms: int, stored: OpenRequest | WaitingRequest) -> Json:
    """Return the summary of a request that has no row in the ledger yet."""
    return {
        "id": request_id,
        "state": state,
        "at": since_ms / 1000,
        "key": stored.key_id,
        "team": stored.team or None,
        **_attribution(stored.attribution),
        "model": stored.model,
        "requested_model": stored.requested_model or None,
        "endpoint": stored.endpoint,
        "status": None,
        "error": None,
        "queued_ms": None,
        "usage": {},
    }
