"""The progress of a response, in either protocol."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """The effect of one event on the response. Ordered: the stage of a read is the maximum of its events."""

    QUIET = 0  # created, in_progress, keepalive, a role, an empty delta: nothing was produced
    PROGRESS = 1  # text, a refusal, a tool call, reasoning… was produced
    TERMINAL = 2  # the response is complete, or has failed: see the reader's `error`
