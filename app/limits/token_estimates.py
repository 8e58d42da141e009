"""
Estimates of tokens where the upstream reports none, and how the ledger names the method.

An exact count takes the model's own vocabulary (3.6 MB for o200k_base, 85 MB once loaded, and none for
most other servers' models), so the upstream's count is used. Estimated are responses that ended before
their usage report, and where to truncate those whose upstream accepts no limit.
"""

from __future__ import annotations

BYTES_PER_TOKEN = 4  # in ordinary English text and code; an estimate, never a bound
BY_BYTES = f"bytes/{BYTES_PER_TOKEN}"
BY_DELTAS = "deltas"
MAX_BYTES_PER_DELTA = 8  # average per delta; an upstream with more does not stream token by token


def estimate_tokens(output_bytes: int, deltas: int = 0) -> tuple[int, str]:
    """
    Return the estimated tokens of a response of so many bytes of UTF-8, and the method.

    Most upstreams send a token at a time, so the deltas of a stream are the better count.
    """
    if 0 < output_bytes <= deltas * MAX_BYTES_PER_DELTA:
        return deltas, BY_DELTAS
    return -(-output_bytes // BYTES_PER_TOKEN), BY_BYTES


def max_bytes_for(tokens: int) -> int:
    """Return the maximum number of bytes that count as *tokens* by `BY_BYTES`."""
    return tokens * BYTES_PER_TOKEN
