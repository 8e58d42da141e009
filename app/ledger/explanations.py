"""Explanations of a request in English: its outcome, each attempt, and each candidate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.formatting import count
from app.stores.ledger import request_of
from app.stores.records.ledger import Action, Stop, UsageSource, status_name

Json = Mapping[str, Any]

SELECTED_BY = {
    "policy": "lowest score of the policy '{policy}'",
    "affinity": "session affinity: it was chosen for this conversation before",
    "test": "it was due to be tested again, and goes first",
    "last": "no other account was available; this one has failed and not answered since",
    "asked again": "tried again, because no other account was left",
}
FAILURES = {
    "unreachable": "could not be reached",
    "reset": "broke the connection before it answered",
    "slow": "took too long",
    "burst_limited": "was rate limited",
    "model_limited": "was rate limited for this model",
    "window_spent": "had used up its usage limit",
    "payment_required": "required payment from its owner",
    "credential": "refused its credential",
    "overloaded": "was overloaded for this model",
    "model_missing": "does not have the model",
    "endpoint_missing": "does not have the endpoint",
    "unsupported": "does not support the request",
    "blocked": "refused the request without a known reason",
    "server_error": "answered with a server error",
    "cut": "ended its stream in the middle of the response",
    "differs": "answered with another text than was already delivered",
    "garbled": "sent something that is not the protocol",
    "redirected": "answered with a redirect",
    "caller": "rejected the request itself",
    "deadline": "did not answer before the overall deadline",
}
UNREPORTED = {
    "client_left": "the caller disconnected before the usage was reported",
    "cut": "the gateway ended the response, so no usage was reported",
    "failed": "an attempt that may be billed failed before its usage was reported",
    "not_reported": "the upstream reported no usage",
}
STOPPED: Mapping[str, str] = {
    Stop.SAME_FAILURE: "another account had failed in the same way",
    Stop.ATTEMPTS: "the number of attempts was used up",
    Stop.RESTARTS: "what had been delivered could not be continued",
    Stop.ACCOUNTS: "this endpoint tries no more accounts",
    Stop.NO_ACCOUNT: "no other account was left",
    Stop.WAIT: "the request would have had to wait too long",
    Stop.BUDGET: "too many requests were being retried already",
    Stop.LIMIT: "a limit had no room for both attempts",
    Stop.STORE: "the store was away",
}
CLIENT_CLOSED, LEASE_EXPIRED = 499, 599  # statuses of the ledger
FAILED_FROM = 400
UNRECORDED = ("open", "expired", "waiting")  # states in which attempts have no entries yet
OUTCOMES = {
    CLIENT_CLOSED: "The caller disconnected before the response was complete.",
    LEASE_EXPIRED: (
        "Its end was not reported in time (lease_expired): its process was killed, or could not reach the "
        "store. The upper bound of its usage was charged."
    ),
}


def outcome(row: Json) -> str:
    """Return what the caller of a request received; *row* is its summary, as `explain` returns it."""
    if earlier := row.get("continues"):
        return f"It failed at another model before, as {earlier}. {_outcome(row)}"
    return _outcome(row)


def _outcome(row: Json) -> str:
    if row["state"] == "waiting":
        before = row["before"]
        if before is None:
            return "It has no account now: it waits until one is available again, or ends."
        others = f"{count(before)} other{'s wait' if before > 1 else ' waits'}" if before else "none waits"
        return f"It waits for an account; {others} before it."
    if row["state"] == "open":
        return "It is still running."
    if row["state"] == "expired":
        return OUTCOMES[LEASE_EXPIRED]
    status, error = row["status"], row["error"] or row.get("error_name")
    code = f" ({error})" if error else ""
    if answer := row.get("answered_by"):
        failed = f"It failed at this model with status {status}{code}"
        return f"{failed}; then {answer['model']} answered it, as {answer['id']}."
    if later := row.get("continued_as"):
        return (
            f"It failed at this model with status {status}{code}, and was tried at another model as {later}."
        )
    if row["state"] == "refused":
        return f"It was refused; the caller received status {status}{code}: {row['message']}"
    if status in OUTCOMES:
        return OUTCOMES[status]
    if status < 400:
        return f"The caller received the complete response (status {status})."
    if request_of(row["id"]) != row["id"]:
        return f"It failed here with status {status}{code}; the caller received the error of the first model."
    if row["usage"].get("first_ms") is not None:
        return f"The response broke off after it had begun; the caller received an error event{code}."
    return f"The caller received an error: status {status}{code}."


def charged(usage: Json) -> str:
    """Return what strict limits, if any, were charged and why, if usage was not reported; else ''."""
    unreported = {name: usage.get(f"unreported_{name}", 0) for name in ("input_tokens", "output_tokens")}
    if usage.get("source") == UsageSource.CORRECTED or not (
        usage.get("unreported") or any(unreported.values())
    ):
        return ""
    reason = UNREPORTED.get(str(usage.get("unreported")), "its usage was not reported")
    if usage.get("unlimited"):
        return f"The usage is an estimate: {reason}."
    max_input, max_output = (count(usage.get(name, 0) + amount) for name, amount in unreported.items())
    return (
        f"Strict limits were charged the upper bound, {max_input} input and {max_output} output tokens: "
        f"{reason}. The other figures are an estimate."
    )


def selection(choice: Json, place: str = "policy") -> str:
    """
    Return the reason an account was chosen and its load.

    *place* is where it stood if the policy chose it: `test`: its test was due; `last`: it comes last.
    """
    by = place if choice["by"] == "policy" else choice["by"] or ""
    reason = SELECTED_BY.get(by, str(by)).format(policy=choice["policy"])
    load = f"{choice['in_flight']} of {choice['cap']} parallel requests"
    if choice["spare"] is None or choice["spare"] >= 1:
        return f"{reason}; {load}"
    return f"{reason}; {load}, {choice['spare']:.0%} of its usage window left"


def candidate(chosen: bool, reason: str, score: float | None, chosen_score: float | None) -> str:
    """Return the outcome of one candidate; *reason* and *score* are those that the choice stored."""
    if chosen:
        return "chosen"
    if reason and reason != "higher score":
        return {"tried": "already tried for this request"}.get(reason, reason)
    if score is not None and score == chosen_score:
        return "same score; the chosen account came first"
    if score is None or chosen_score is None:
        return "higher score"
    return f"its score is higher by {score - chosen_score:.3g}, and the lowest is chosen"


@dataclass(frozen=True, slots=True)
class Following:
    """What followed a choice: `next_account` is that of the next choice, '' if there was none."""

    next_account: str
    waited: bool  # no account was available then
    is_last: bool  # it was the last choice
    is_sent: bool = True  # something was sent to the next account


def has_attempts(request: Json) -> bool:
    """Return whether each attempt of *request*, as `explain` returns it, that was sent has an entry."""
    return request["state"] not in UNRECORDED and request["status"] != LEASE_EXPIRED


def attempts_label(first: int, last: int) -> str:
    """Return the heading of the attempts from number *first* to *last*."""
    if last < first:
        return "No attempt"
    return f"Attempt {first}" if first == last else f"Attempts {first} to {last}"


def unrecorded_attempt(account: str, then: Following, request: Json) -> str:
    """Return what became of the choice of *account* for *request* if no attempt there is recorded."""
    if has_attempts(request):
        reason = stopped(request) if then.is_last else ""
        reason = reason or ": the request ended before that, or was left to another account"
        return f"Nothing was sent to {account}{reason}."
    if not then.is_last:
        return f"The attempt at {account} failed; details are recorded when the request ends."
    if request["state"] == "open":
        return f"The attempt at {account} is running."
    return f"The outcome of the attempt at {account} is unknown: its process did not report it."


def attempt(stored: Json, account: str, following: str, request: Json) -> str:
    """
    Return how an attempt at *account* ended; *following* is the sentence about what came after a failure.

    *request* is the summary of its request, as `explain` returns it.
    """
    if "failure" not in stored:
        if request["status"] == CLIENT_CLOSED:
            return f"The caller disconnected before {account} had completed its response."
        if (request["status"] or 0) >= FAILED_FROM:
            return f"The attempt at {account} was ended by the gateway ({request['error']})."
        return f"{account} answered over its {stored['wire']} API."
    failed = FAILURES.get(stored["failure"], stored["failure"].replace("_", " "))
    details = ", ".join(_failure_details(stored))
    return f"{account} {failed}{f' ({details})' if details else ''}. {following}"


def _failure_details(stored: Json) -> Iterator[str]:
    """Yield the status and the code of a failed attempt; without a code, the name of the status."""
    status, code = stored.get("upstream_status"), stored.get("upstream_code") or stored.get("error")
    if status:
        yield f"status {status}" if code else f"status {status} {status_name(status)}".rstrip()
    if code:
        yield code


def after_failure(stored: Json, then: Following, request: Json, *, again: bool) -> str:
    """Return what followed a failed attempt of *request*; *again*: the same choice was tried once more."""
    if again and stored.get("repeated_without"):
        return f"It was repeated there without {', '.join(stored['repeated_without'])}."
    if again:
        return "Its credential was renewed and it was tried again."
    if then.next_account:
        wait = "No account was available then; after a wait, the" if then.waited else "The"
        verb = "went" if then.is_sent else "was to go"
        return f"{wait} next attempt {verb} to {then.next_account}."
    at_model = " at this model" if request.get("continued_as") or request.get("answered_by") else ""
    if not then.is_last:
        return f"No other account was available{at_model}."
    if stored.get("action") == Action.FAIL:
        return "Another account would not have helped, so none was tried."
    return f"No further attempt was made{at_model}{stopped(request)}."


def stopped(request: Json) -> str:
    """Return why no further attempt was made, as the end of a sentence; '' if that is not recorded."""
    reason = STOPPED.get(request.get("stopped") or "")
    return f": {reason}" if reason else ""
