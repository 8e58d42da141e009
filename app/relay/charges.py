"""
What one attempt is charged: the usage that its upstream reported, else an estimate and an upper bound.

Balanced limits count the estimate. Strict limits count the upper bound, which is never below what was billed:

1. Input: the reservation counts every byte that was sent, and no token has less than one byte.
2. Output: an account that enforces the requested length bills no more than that; any other account no more
   than the model's maximum. Admission reserves one or the other, by account. Hidden tokens, and those under
   way when the connection closed, are within it: the full amount is charged.
3. A finished response of a model that does not reason has no hidden tokens: it has at most as many tokens as
   bytes, and a few that frame it.
4. Nothing was billed for a request that was never sent, or was refused before any output.
5. Usage counts only when it arrived at or after the end of the response: some servers report it with every
   chunk. Zeros do not count where there is output: some servers count nothing. An account that bills more
   than the requested length is no longer trusted (`exceeded`).
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from app.accounts.failures import Failure
from app.accounts.kinds import kind_of
from app.errors import (
    EndpointMissing,
    UpstreamError,
    UpstreamRedirected,
    UpstreamRejected,
    UpstreamUnreachable,
)
from app.limits.output_lengths import length_bound
from app.limits.token_estimates import estimate_tokens
from app.records import record
from app.relay.attempt import Attempt
from app.streaming.usage import Usage
from app.translation.requests import foreign_state

FRAMING_TOKENS = 16  # of one choice without tool calls: its role, its channel, its end
REFUSALS = frozenset(
    (
        *(Failure.BURST_LIMITED, Failure.WINDOW_SPENT, Failure.PAYMENT_REQUIRED, Failure.CREDENTIAL),
        *(Failure.MODEL_LIMITED, Failure.OVERLOADED, Failure.MODEL_MISSING, Failure.ENDPOINT_MISSING),
    )
)
TOO_LONG = "context_length_exceeded"
BEFORE_ANY_OUTPUT = (TOO_LONG, foreign_state.CODE)  # error codes of refusals before any output


TokenBounds = tuple[int | None, int | None]  # input, output; None is unbounded


@record
class AttemptCharge:
    """The usage that an attempt is charged; `upper_bound` is None where the upstream reported it."""

    usage: Usage
    counted_by: str = ""  # how `usage` was estimated; empty: it was reported
    upper_bound: TokenBounds | None = None


def may_have_billed(error: UpstreamError, attempt: Attempt, failure: Failure) -> bool:
    """Return whether the upstream may bill an attempt that failed with *error*, classified as *failure*."""
    if isinstance(error, EndpointMissing | UpstreamRedirected):
        return False
    if isinstance(error, UpstreamUnreachable):
        return error.sent
    if not isinstance(error, UpstreamRejected) or attempt.reader.output_bytes:
        return True
    refused = failure in REFUSALS or error.code in BEFORE_ANY_OUTPUT
    return error.upstream_status is None and not refused


def estimate_charge(attempt: Attempt, reserved: Mapping[str, int], input_tokens: int) -> AttemptCharge:
    """
    Return what *attempt*, whose usage was not reported, is charged.

    *reserved* are amounts by limit unit, *input_tokens* is its estimated input.
    """
    reader = attempt.reader
    produced, counted_by = estimate_tokens(reader.output_bytes, reader.deltas)
    if (usage := reader.usage) is not None and usage.total_tokens:
        # reported before the response ended, so it is a lower bound
        input_tokens, produced = usage.input_tokens, max(produced, usage.output_tokens)
    bounded = reserved.get("output_tokens")
    estimated = produced if bounded is None else min(produced, bounded)
    return AttemptCharge(
        Usage(input_tokens, estimated, input_tokens + estimated),
        counted_by,
        (reserved.get("input_tokens"), _max_output(attempt, bounded)),
    )


def _max_output(attempt: Attempt, reserved: int | None) -> int | None:
    reader = attempt.reader
    if reserved is None:
        return None
    if attempt.exceeds(reserved):
        return max(reserved, reader.output_bytes)
    is_complete = reader.finish in ("stop", "completed") and reader.can_end() and not attempt.was_cut
    if is_complete and not reader.has_calls and not _may_reason(attempt):
        return min(reserved, reader.output_bytes + FRAMING_TOKENS * max(1, _choices(attempt)))
    return reserved


def _may_reason(attempt: Attempt) -> bool:
    return not attempt.context.request.model.startswith(kind_of(attempt.account).models_without_reasoning)


def _choices(attempt: Attempt) -> int:
    n = attempt.context.request.body.get("n")
    return n if isinstance(n, int) else 1


def exceeded(attempt: Attempt, reserved: Mapping[str, int]) -> str | None:
    """
    Return, as JSON, what an account billed beyond *reserved*; None if nothing.

    That is more output than the length that it was sent, or more input than the request has bytes.
    """
    if not kind_of(attempt.account).is_billed_by_length:
        return None
    reported, allowed = attempt.reader.reported_usage, reserved.get("input_tokens")
    amounts = _exceeded_output(attempt, reported, reserved.get("output_tokens"))
    if not amounts and reported and allowed is not None and reported.input_tokens > allowed:
        amounts = {"allowed": allowed, "input_tokens": reported.input_tokens}
    return orjson.dumps({"model": attempt.context.request.model, **amounts}).decode() if amounts else None


def _exceeded_output(attempt: Attempt, reported: Usage | None, allowed: int | None) -> dict[str, int | None]:
    if allowed is None:
        return {}
    billed = reported.output_tokens if reported else None
    if (billed is None or billed <= allowed) and not attempt.exceeds(allowed):
        return {}
    context = attempt.context
    if not attempt.inputs.sent_length and not length_bound(
        context.request.client_protocol, context.request.body
    ):
        return {}
    return {"allowed": allowed, "output_tokens": billed}
