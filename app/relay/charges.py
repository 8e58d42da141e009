"""
What one attempt is charged: the usage that its upstream reported, else an estimate and an upper bound.

Balanced limits count the estimate. Strict limits count the upper bound, which never is below what
was billed:

1. Input: what is held counts every byte that was sent, and no token has less than one byte.
2. Output: an account that keeps the length of a request bills no more than that; any other no more
   than the model's maximum. Admission holds one or the other, by account. Tokens that are hidden, or
   were under way when the connection closed, are within it: all of it is charged.
3. An answer that ended by itself on a model that does not reason has nothing hidden: it has no more
   tokens than bytes, and a few that frame it.
4. Nothing was billed for what was never sent, or was refused before any output.
5. A usage counts only when it came at or after the end of the answer: some servers report one with
   every chunk. An account that bills more than its length is remembered, and no longer trusted (`exceeded`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.accounts.failures import Failure
from app.errors import (
    EndpointMissing,
    UpstreamError,
    UpstreamRedirected,
    UpstreamRejected,
    UpstreamUnreachable,
)
from app.limits.output_lengths import length_bound
from app.limits.token_estimates import tokens_of
from app.relay.endpoint_types import AnyAttempt
from app.streaming.usage import Usage

FRAMING_TOKENS = 16  # around one answer without calls: its role, its channel, its end
NOT_REASONING = ("gpt-3.5", "gpt-4", "chatgpt-4o")  # models of the OpenAI API, by how their names begin
REFUSALS = frozenset(
    (
        *(Failure.BURST_LIMITED, Failure.WINDOW_SPENT, Failure.CREDENTIAL),
        *(Failure.MODEL_LIMITED, Failure.OVERLOADED, Failure.MODEL_MISSING, Failure.ENDPOINT_MISSING),
    )
)
TOO_LONG = "context_length_exceeded"  # said before anything is produced
TRUSTED_KINDS = ("openai", "compatible")  # whose servers are sent a length


@dataclass(frozen=True, slots=True)
class AttemptCharge:
    """`most` is the upper bound (input, output) where no usage was reported; a None is not bounded."""

    usage: Usage
    counted_by: str = ""  # how an estimate was made; empty: reported
    most: tuple[int | None, int | None] | None = None


def may_have_billed(error: UpstreamError, attempt: AnyAttempt, failure: Failure) -> bool:
    """Whether the upstream may bill an attempt that failed with *error*, which is a *failure*."""
    if isinstance(error, EndpointMissing | UpstreamRedirected):
        return False
    if isinstance(error, UpstreamUnreachable):
        return error.sent
    if not isinstance(error, UpstreamRejected) or attempt.reader.output_bytes:
        return True
    refused = failure in REFUSALS or error.code == TOO_LONG
    return error.upstream_status is None and not refused


def estimated_charge(attempt: AnyAttempt, held: Mapping[str, int], read: int) -> AttemptCharge:
    """
    Return what *attempt*, whose usage was not reported, is charged.

    *held* is what is reserved for it, *read* its estimated input.
    """
    reader = attempt.reader
    produced, counted_by = tokens_of(reader.output_bytes, reader.deltas)
    if reader.usage is not None:  # of the answer as far as it had come
        read, produced = reader.usage.input_tokens, max(produced, reader.usage.output_tokens)
    bounded = held.get("output_tokens")
    estimated = produced if bounded is None else min(produced, bounded)
    return AttemptCharge(
        Usage(read, estimated, read + estimated),
        counted_by,
        (held.get("input_tokens"), _max_output(attempt, bounded)),
    )


def _max_output(attempt: AnyAttempt, held: int | None) -> int | None:
    reader = attempt.reader
    if held is None:
        return None
    if attempt.exceeds(held):
        return max(held, reader.output_bytes)
    whole = reader.finish in ("stop", "completed") and reader.can_end() and not attempt.was_cut
    if whole and not reader.has_calls and not _may_reason(attempt):
        return min(held, reader.output_bytes + FRAMING_TOKENS * max(1, _choices(attempt)))
    return held


def _may_reason(attempt: AnyAttempt) -> bool:
    return attempt.account.kind != "openai" or not attempt.context.model.startswith(NOT_REASONING)


def _choices(attempt: AnyAttempt) -> int:
    n = attempt.context.body.get("n")
    return n if isinstance(n, int) else 1


def exceeded(attempt: AnyAttempt, held: Mapping[str, int]) -> str | None:
    """
    Return, as JSON, what an account billed beyond what *held* counts on; None: nothing.

    That is more output than the length that it was sent, or more input than the request has bytes.
    """
    if attempt.account.kind not in TRUSTED_KINDS:
        return None
    reported, allowed = attempt.reader.reported_usage, held.get("input_tokens")
    found = _exceeded_output(attempt, reported, held.get("output_tokens"))
    if not found and reported and allowed is not None and reported.input_tokens > allowed:
        found = {"allowed": allowed, "input_tokens": reported.input_tokens}
    return orjson.dumps({"model": attempt.context.model, **found}).decode() if found else None


def _exceeded_output(attempt: AnyAttempt, reported: Usage | None, allowed: int | None) -> dict[str, Any]:
    if allowed is None:
        return {}
    billed = reported.output_tokens if reported else None
    if (billed is None or billed <= allowed) and not attempt.exceeds(allowed):
        return {}
    context = attempt.context
    if not context.sent_length and not length_bound(context.surface, context.body):
        return {}
    return {"allowed": allowed, "output_tokens": billed}
