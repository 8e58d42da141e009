"""Responses that are recorded for repeats of their requests, by `Idempotency-Key`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class RecordingState(StrEnum):
    """The state of a recording. The scripts `claim_recording` and `record_response` write the first three."""

    RUNNING = "running"
    STORED = "stored"
    TOO_LARGE = "too_large"  # the request ran, but its response is not stored
    RELEASED = "released"  # the request may be repeated
    FULL = "full"  # too many requests of the same API key are being recorded
    POOL_FULL = "pool_full"  # stored as TOO_LARGE: the recordings of the pool leave no room
    LOST = "lost"  # it expired, was evicted, or another request has its claim


@dataclass(frozen=True, slots=True)
class RecordingId:
    """A request with an `Idempotency-Key`: *digest* names key, endpoint and header, *run* the request."""

    pool: str
    key: str
    digest: str
    run: str


class Claim(NamedTuple):
    """A claim: the `run` of the request that holds it, its state, and the fingerprint of its body."""

    run: str
    state: RecordingState
    fingerprint: str


class RecordedPieces(NamedTuple):
    """Some pieces of a recorded response, and its state before they were read."""

    state: RecordingState
    pieces: list[bytes]
