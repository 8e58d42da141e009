"""How far an answer has come, on either wire."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """What one event did to the answer. Ordered: a read's stage is the greatest of its events'."""

    QUIET = 0  # created, in_progress, keepalive, a role, an empty delta: nothing was produced
    PROGRESS = 1  # text, a refusal, a tool call, reasoning… was produced
    TERMINAL = 2  # the answer is complete, or has failed: see the reader's `error`
