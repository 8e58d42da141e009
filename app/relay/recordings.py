"""
Recorded responses: a repeat with the same `Idempotency-Key` receives the response to the first request.

The first request claims the key, and its response is recorded as it is sent. A repeat reads what is
recorded from the start, and follows it while the first request runs. The claim is a lease: if the worker
of the first request dies, a repeat is a request of its own.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import gevent
import structlog
from gevent.event import Event

from app.errors import (
    IdempotencyKeyReused,
    NotReplayable,
    Overloaded,
    StillRunning,
    StoreError,
    StoreUnavailable,
)
from app.process_metrics import Counter
from app.relay.lost_replies import LostReplies
from app.stores.recordings import RecordingRepository
from app.stores.records.recordings import RecordedPieces, RecordingId, RecordingState
from app.upstream.cancellation import Cancellation

log = structlog.get_logger()

MAX_RESPONSE_BYTES = 4 * 1024 * 1024  # a longer response is not stored
MAX_FOLLOWING = 256  # repeats of one process that follow other requests; more are refused
PIECE_BYTES = 256 * 1024  # largest piece of one write
COLLECT_SECONDS = 0.05  # between two writes, which is how far a repeat lags behind
RETRY_SECONDS = 1.0  # between two tries of a write while Redis is away
RELEASE_SECONDS = 1.0  # longest that an error waits for the release of its claim
AWAY_SECONDS = 30.0  # a repeat fails after so long without Redis: the first request has lost its claim
POLL_SECONDS, POLL_MAX_SECONDS = 0.02, 0.5  # pause between two reads, which grows while nothing arrives
POLL_GROWTH = 1.5

UNSTORED = Counter(
    "poolgate_unstored_responses", "Responses that were not stored for their Idempotency-Key.", ("reason",)
)
for _reason in ("too_large", "key_full", "pool_full"):
    UNSTORED.inc((_reason,), 0)

RUNNING, STORED, TOO_LARGE = RecordingState.RUNNING, RecordingState.STORED, RecordingState.TOO_LARGE
RELEASED, LOST = RecordingState.RELEASED, RecordingState.LOST
POOL_FULL = RecordingState.POOL_FULL


class RecordingLost(Exception):
    """The recording is gone: its request failed, was evicted, or its worker died."""


class ResponseRecorder:
    """Writes the response to a request that holds a claim, in the background, and renews the claim."""

    def __init__(
        self, store: RecordingRepository, request: RecordingId, lease_seconds: float, renew_seconds: float
    ) -> None:
        self._store = store
        self._request = request
        self._lease_seconds = lease_seconds
        self._renew_seconds = renew_seconds
        self._pieces: deque[bytes] = deque()  # not written yet
        self._bytes = 0
        self._written = 0  # number of pieces
        self._state = RUNNING
        self._has_ended = False
        self._wake = Event()
        self.writer = gevent.spawn(self._write_until_ended)

    def add(self, piece: bytes) -> None:
        """Record *piece*, unless the response is longer than is stored. The first piece is its head."""
        if self._state is not RUNNING or not piece:
            return
        self._bytes += len(piece)
        if self._bytes > MAX_RESPONSE_BYTES:
            self._state = TOO_LARGE
            self._pieces.clear()
            UNSTORED.inc(("too_large",))
        elif len(piece) <= PIECE_BYTES:
            self._pieces.append(piece)
        else:
            self._pieces += (piece[at : at + PIECE_BYTES] for at in range(0, len(piece), PIECE_BYTES))
        self._wake.set()

    def end(self, *, is_stored: bool) -> None:
        """End the recording, once. Repeats receive it; unless *is_stored*, they are requests of their own."""
        if self._has_ended:
            return
        self._has_ended = True
        if not is_stored:
            self._state = RELEASED
            self._pieces.clear()
        elif self._state is RUNNING:
            self._state = STORED
        self._wake.set()

    def release(self) -> None:
        """
        End the recording of an error, before its client receives that.

        A client may send the corrected request immediately, which the claim would refuse.
        """
        self.end(is_stored=False)
        self.writer.join(RELEASE_SECONDS)

    def _write_until_ended(self) -> None:
        """Write the pieces that are added, and renew the claim while there are none."""
        has_ended = False
        while not has_ended and self._state is not LOST:
            if not self._pieces:
                self._wake.wait(self._renew_seconds)
            self._wake.clear()
            piece = self._take()
            has_ended = self._has_ended and not self._pieces
            self._write(piece, has_ended=has_ended)
            if not has_ended and not self._pieces:
                gevent.sleep(COLLECT_SECONDS)

    def _take(self) -> bytes:
        """Return the next piece to write: the head alone, then up to PIECE_BYTES of the body."""
        taken: list[bytes] = []
        size = 0
        while self._pieces and size + len(self._pieces[0]) <= PIECE_BYTES:
            size += len(self._pieces[0])
            taken.append(self._pieces.popleft())
            if not self._written:
                break
        return b"".join(taken)

    def _write(self, piece: bytes, *, has_ended: bool) -> None:
        """Write *piece*, repeatedly while Redis is away, until the claim has expired."""
        state = self._state if has_ended or self._state is TOO_LARGE else RUNNING
        waited = 0.0
        while waited < self._lease_seconds:
            try:
                recorded = self._store.record(self._request, self._written, piece, state, ended=has_ended)
                break
            except StoreError:
                gevent.sleep(RETRY_SECONDS)
                waited += RETRY_SECONDS
        else:
            recorded = LOST
        self._written += bool(piece)
        if recorded is LOST:
            log.warning("recording_lost", pool=self._request.pool, key=self._request.key)
        if recorded in (TOO_LARGE, POOL_FULL):
            if self._state in (RUNNING, STORED):
                UNSTORED.inc(("pool_full" if recorded is POOL_FULL else "key_full",))
            recorded = TOO_LARGE
        if recorded is LOST or (recorded is TOO_LARGE and self._state is not RELEASED):
            self._state = recorded
            self._pieces.clear()


class RecordedResponse:
    """The response to another request, which may still run."""

    def __init__(self, store: RecordingRepository, request: RecordingId) -> None:
        self._store = store
        self._request = request

    def pieces(self, cancellation: Cancellation, head_seconds: float) -> Iterator[bytes]:
        """
        Yield the head, within *head_seconds*, then the pieces of the body as they are recorded.

        Raises RecordingLost, NotReplayable, StillRunning, StoreUnavailable, or the reason of *cancellation*.
        """
        at, wait, waited = 0, POLL_SECONDS, 0.0
        while True:
            state, pieces = self._read(at, cancellation)
            if state is TOO_LARGE:
                raise NotReplayable(
                    "The response to the first request with this Idempotency-Key was not stored: it is too"
                    " large, or the stored responses leave no room for it"
                )
            yield from pieces
            at += len(pieces)
            if pieces:
                wait = POLL_SECONDS
            elif state is STORED:
                return
            elif state is LOST:
                raise RecordingLost
            elif not at and waited >= head_seconds:
                raise _still_running()
            else:
                cancellation.sleep(wait)
                waited += wait
                wait = min(wait * POLL_GROWTH, POLL_MAX_SECONDS)

    def _read(self, at: int, cancellation: Cancellation) -> RecordedPieces:
        """
        Return the pieces after the first *at*. Once the head is read, wait up to AWAY_SECONDS for Redis.

        Raises StoreUnavailable.
        """
        waited = 0.0
        while True:
            try:
                return self._store.read(self._request, at)
            except StoreUnavailable:
                if not at or waited >= AWAY_SECONDS:
                    raise
                cancellation.sleep(RETRY_SECONDS)
                waited += RETRY_SECONDS


class Recordings:
    """The recordings that this process writes, and its requests that follow others."""

    def __init__(
        self,
        store: RecordingRepository,
        lost_replies: LostReplies,
        *,
        lease_seconds: float,
        renew_seconds: float,
    ) -> None:
        self._store = store
        self._lost_replies = lost_replies
        self._lease_seconds = lease_seconds
        self._renew_seconds = renew_seconds
        self._following: set[Cancellation] = set()
        self._writers: set[gevent.Greenlet] = set()

    def claim(
        self, pool: str, key_id: str, digest: str, fingerprint: str
    ) -> ResponseRecorder | RecordedResponse:
        """
        Return the recorder for the response to this request, or the response to the one that came first.

        *digest* identifies the API key, the endpoint and the `Idempotency-Key`; *fingerprint* the body.
        Raises IdempotencyKeyReused where that came with another body, Overloaded, StoreUnavailable.
        """
        request = RecordingId(pool, key_id, digest, secrets.token_hex(8))
        try:
            claim = self._store.claim(request, fingerprint)
        except StoreUnavailable:  # else repeats would wait for a request that was refused
            release = partial(self._store.record, request, 0, b"", RELEASED, ended=True)
            self._lost_replies.undo(release)
            raise
        if claim.state is RecordingState.FULL:
            raise Overloaded(
                "This API key has too many requests with an Idempotency-Key running", retry_after_seconds=1
            )
        if claim.run != request.run:
            if claim.fingerprint != fingerprint:
                raise IdempotencyKeyReused(
                    "This Idempotency-Key was sent before with another body; use a new key for a new request",
                    param="Idempotency-Key",
                )
            return RecordedResponse(self._store, replace(request, run=claim.run))
        recorder = ResponseRecorder(self._store, request, self._lease_seconds, self._renew_seconds)
        self._writers.add(recorder.writer)
        recorder.writer.link(self._writers.discard)
        return recorder

    @contextmanager
    def following(self, cancellation: Cancellation) -> Iterator[None]:
        """
        Track a request that follows another, so that `stop` can end it.

        Raises StillRunning for too many.
        """
        if len(self._following) >= MAX_FOLLOWING:
            raise _still_running()
        self._following.add(cancellation)
        try:
            yield
        finally:
            self._following.discard(cancellation)

    def stop(self) -> None:
        """End the requests that follow others: this process is shutting down."""
        for cancellation in list(self._following):
            cancellation.worker_stopping()

    def flush(self, seconds: float) -> None:
        """Wait up to *seconds* until the recordings that have ended are written."""
        gevent.joinall(list(self._writers), timeout=seconds)


def _still_running() -> StillRunning:
    return StillRunning(
        "The first request with this Idempotency-Key is still running; please send it again",
        param="Idempotency-Key",
        retry_after_seconds=1,
    )
