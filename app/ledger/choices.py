"""
The choices of an account for a request, with the reasons for each.

A choice is explained by the numbers that were compared when it was made, not by current ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any, TypedDict

from app.formatting import NamedId, name_or_id
from app.ledger import explanations
from app.ledger.explanations import Following

AHEAD_OF_ITS_GROUP, GROUP_WIDTH, COMES_LAST = 1e11, 1e12, 1e15  # of scores; see lua/policy.lua

PLACES = {"test": "being tested", "last": "has failed and not answered since, so it comes last"}

Json = dict[str, Any]
AccountLookup = Callable[[str], NamedId]  # by id


class Explanation(TypedDict):
    """`why` is a phrase; the score is None if it was not compared."""

    score: float | None
    why: str


class Candidate(Explanation):
    account: NamedId


class Unavailable(TypedDict):
    """An account that was out of use; `until` is in Unix seconds."""

    account: NamedId
    state: str
    reason: str
    until: float | None


class Choice(TypedDict, total=False):
    """
    The choice of an account and the attempts at it.

    - attempt is the number of its first attempt, None if it has none: attempts are numbered over all choices
      of a request. label is the heading of its attempts.
    - by is policy | affinity | asked again, None if no account was chosen.
    - tries are the attempts, as the ledger has them, each with its number (`attempt`) and its outcome, a
      sentence. outcome of the choice is that of an attempt that is not among them, else empty.
    """

    attempt: int | None
    label: str
    at: float
    by: str | None
    policy: str | None
    account: NamedId | None
    in_flight: int | None
    cap: int | None
    spare: float | None
    candidates: list[Candidate]
    out: list[Unavailable]
    tries: list[Json]
    why: str
    outcome: str


def choices_of(
    decisions: list[Json], attempts: list[Json], named: AccountLookup, request: Json
) -> list[Choice]:
    """
    Return the choice that each of *decisions* explains, in order.

    *named* returns an account; *request* is the summary of the request, as `explain` returns it.
    """
    choices = [
        _choice(decision, own_attempts, named)
        for decision, own_attempts in zip(decisions, _attempts_by_choice(decisions, attempts), strict=True)
    ]
    _number(choices, is_recorded=explanations.has_attempts(request))
    for number, choice in enumerate(choices):
        following = choices[number + 1 :]
        next_choice = next((one for one in following if one["account"]), None)
        then = Following(
            _label(next_choice["account"]) if next_choice else "",
            waited=bool(following) and following[0]["account"] is None,
            is_last=not following,
            is_sent=next_choice is not None and next_choice["attempt"] is not None,
        )
        _add_outcomes(choice, then, request)
    return choices


def _number(choices: list[Choice], *, is_recorded: bool) -> None:
    """
    Number the attempts over all choices, from 1.

    *is_recorded*: attempts that were sent have an entry; else each choice of an account was one attempt.
    """
    number = 0
    for choice in choices:
        first = number + 1
        for attempt in choice["tries"]:
            number += 1
            attempt["attempt"] = number
        if choice["account"] and not choice["tries"] and not is_recorded:
            number += 1
        choice["attempt"] = first if number >= first else None
        choice["label"] = explanations.attempts_label(first, number)


def _add_outcomes(choice: Choice, then: Following, request: Json) -> None:
    """Add the outcome of each attempt of *choice*, or of the choice itself if no attempt is recorded."""
    account = _label(choice["account"])
    choice["outcome"] = ""
    if choice["account"] and not choice["tries"]:
        choice["outcome"] = explanations.unrecorded_attempt(account, then, request)
    for attempt, another in zip_longest(choice["tries"], choice["tries"][1:]):
        after = explanations.after_failure(attempt, then, request, again=another is not None)
        attempt["outcome"] = explanations.attempt(attempt, account, after, request)


def _attempts_by_choice(decisions: list[Json], attempts: list[Json]) -> Iterator[list[Json]]:
    """
    Yield the attempts of each choice, in order.

    A choice has several attempts if a refused credential was refreshed between them, or if the request was
    repeated without something that the account had refused.
    """
    remaining = list(attempts)
    for decision in decisions:
        own_attempts: list[Json] = []
        while (
            remaining
            and remaining[0]["account"] == decision["chosen"]
            and (
                not own_attempts
                or own_attempts[-1].get("failure") == "credential"
                or "repeated_without" in own_attempts[-1]
            )
        ):
            own_attempts.append(remaining.pop(0))
        yield own_attempts


def _label(account: NamedId | None) -> str:
    return name_or_id(account) if account else ""


def _choice(decision: Json, attempts: list[Json], named: AccountLookup) -> Choice:
    chosen = decision["chosen"]
    score = next((score for account_id, score, _ in decision.get("seen") or () if account_id == chosen), None)
    choice: Choice = {
        "at": decision["now"] / 1000,
        "by": decision.get("by"),
        "policy": decision.get("policy"),
        "account": named(chosen) if chosen else None,
        "in_flight": decision.get("in_flight"),
        "cap": decision.get("cap"),
        "spare": decision.get("spare"),
        "candidates": _candidates(decision, score, named),
        "out": _unavailable(decision, named),
        "tries": [
            {name: value for name, value in attempt.items() if name != "account"} for attempt in attempts
        ],
    }
    if not choice["account"]:
        choice["why"] = "no account was available"
        return choice
    choice["why"] = explanations.selection(choice, place_of(score, decision))
    return choice


def _candidates(decision: Json, chosen_score: float | None, named: AccountLookup) -> list[Candidate]:
    """Return each account once, with the last of its results: earlier versions stored several."""
    seen = {account_id: (score, reason) for account_id, score, reason in decision.get("seen") or ()}
    return [
        {
            "account": named(account_id),
            **_candidate(
                score,
                reason,
                decision,
                is_chosen=account_id == decision["chosen"],
                chosen_score=chosen_score,
            ),
        }
        for account_id, (score, reason) in seen.items()
    ]


def _unavailable(decision: Json, named: AccountLookup) -> list[Unavailable]:
    return [
        {
            "account": named(account_id),
            "state": state or "removed",
            "reason": reason or "",
            "until": until_ms / 1000 if until_ms else None,
        }
        for account_id, state, reason, until_ms in decision.get("out") or ()
    ]


def _candidate(
    score: Any, reason: str, decision: Json, *, is_chosen: bool, chosen_score: float | None
) -> Explanation:
    """Return {score, why}; the score is None if it was not compared."""
    compared: float | None = None
    if score is not False:
        place = place_of(score, decision)
        if place == "policy":
            compared = score
        elif reason in ("", "higher score"):
            reason = PLACES[place]
    return {"score": compared, "why": explanations.candidate(is_chosen, reason, score or None, chosen_score)}


def place_of(score: float | None, decision: Json) -> str:
    """
    Return where *score* puts an account: `test`, `last`, or `policy` for all others.

    Source: `score` in lua/policy.lua.
    """
    if score is None:
        return "policy"
    if score >= COMES_LAST:
        return "last"
    group = score + AHEAD_OF_ITS_GROUP
    is_test = group == 0 or (decision.get("policy") == "ordered" and group % GROUP_WIDTH == 0)
    return "test" if is_test else "policy"
