"""
Tokens where nobody has counted them, and how the books say it was done.

Counting exactly takes the model's own vocabulary (3.6 MB for o200k_base, 85 MB once loaded, and
none for most other servers' models), so it is left to the upstream, whose count comes with the
answer. What is estimated here: answers that ended before it did, and where to cut those whose
upstream takes no limit.
"""

from __future__ import annotations

BYTES_PER_TOKEN = 4  # of ordinary English text and code; a guess, never a bound
BY_BYTES = f"bytes/{BYTES_PER_TOKEN}"
BY_DELTAS = "deltas"
MAX_BYTES_PER_DELTA = 8  # on average; an upstream that sends more at once does not stream token by token


def tokens_of(output_bytes: int, deltas: int = 0) -> tuple[int, str]:
    """
    Return about how many tokens an answer of so many bytes of UTF-8 has, and how that was counted.

    Most upstreams send a token at a time, so the pieces of a stream are the better count.
    """
    if 0 < output_bytes <= deltas * MAX_BYTES_PER_DELTA:
        return deltas, BY_DELTAS
    return -(-output_bytes // BYTES_PER_TOKEN), BY_BYTES


def bytes_for(tokens: int) -> int:
    """Return the most bytes that count as *tokens* where pieces do not."""
    return tokens * BYTES_PER_TOKEN
