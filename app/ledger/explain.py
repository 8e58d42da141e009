"""Explain how a request was routed, from the decisions that were stored at each choice of an account."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, cast

from app.errors import NotFound
from app.formatting import NamedId, named_id
from app.ledger import explanations
from app.ledger.answers import FAILED_FROM, AnswerJson, serialize_answer
from app.ledger.choices import Choice, choices_of
from app.ledger.index import LedgerIndex
from app.ledger.refusal_log import MAX_ENTRIES
from app.ledger.request_finder import FoundRequest, RequestFinder
from app.stores.ledger import LedgerRepository, ids_at_models
from app.stores.records.ledger import (
    LedgerEntry,
    PassedOverRow,
    position_of,
)
from app.stores.refusals import MAX_STORED, RefusalRepository

UNSTORED_REFUSAL = (
    f"If it was refused, its details are not stored: of a pool, those of the newest {MAX_STORED} refusals"
    f" are, and of a key those of at most {MAX_ENTRIES} per second with the same code in each process"
)
UNFINISHED = ("waiting", "open", "expired")  # states: what is recorded at other models came before
EXPLAINED = ("error_name", "stopped")  # of a summary: parts of the sentences in its explanation

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
      accounts; one that waits for an account `before`, the number of requests that wait before it, None if it
      waits outside the queue until an account that rests is back.
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
    before: int | None


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
        self._requests = RequestFinder(ledger, index, refusals)
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
        request = self._requests.find(pool, request_id, entry_id, max_entries)
        has_failed = request is None or (request.summary["status"] or 0) >= FAILED_FROM
        is_unfinished = request is not None and request.summary["state"] in UNFINISHED
        others = self._at_other_models(pool, request_id, is_unfinished=is_unfinished)
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
        if (stored := self._requests.find_entry(pool, later, "", max_entries)) is None:
            unknown = f"There is no request '{request_id[:64]}' in pool '{pool}'. {UNSTORED_REFUSAL}"
            raise NotFound(unknown, param="id")
        return LedgerEntry.parse(stored).request_id, stored.id

    def _at_other_models(self, pool: str, request_id: str, *, is_unfinished: bool) -> _OtherModels:
        ids = ids_at_models(request_id)
        recorded = {
            one: entry_id
            for one, entry_id in zip(ids, self._ledger.entry_ids(pool, ids), strict=True)
            if entry_id
        }
        own = recorded.pop(request_id, "")
        # In the order in which they ended: the first model may be tried again after later ones
        others = sorted(recorded, key=lambda one: position_of(recorded[one]))
        if own:
            before = [one for one in others if position_of(recorded[one]) < position_of(own)]
        elif is_unfinished:
            before = others
        else:  # it was not admitted at this model
            at = ids.index(request_id) if request_id in ids else 0
            before = [one for one in others if one in ids[:at]]
        after = [one for one in others if one not in before]
        entry_ids = [recorded[one] for one in others]
        return _OtherModels(before[-1] if before else None, after[0] if after else None, entry_ids)

    def _answer(self, pool: str, others: _OtherModels) -> LedgerEntry | None:
        if not others.entry_ids:
            return None
        entries = map(LedgerEntry.parse, self._ledger.read(pool, others.entry_ids))
        return next((entry for entry in entries if entry.status < FAILED_FROM), None)

    def _explanation(self, pool: str, request: FoundRequest) -> RequestExplanation:
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


def _passed_model(stored: PassedOverRow, named: Callable[[str], NamedId]) -> PassedModel:
    seen: list[PassedAccount] = [
        {"account": named(one["account"]), "why": one["reason"]} for one in stored["seen"]
    ]
    return {"model": stored["model"], "error": stored["code"], "candidates": seen}
