"""
Responses that are recorded while they are sent, for repeats with the same `Idempotency-Key`; sealed.

Two bounds prevent them from filling Redis: of those of an API key the oldest are evicted; where a pool has no
room left, no more are stored until some expire, because a recording is a promise to its caller.
"""

from __future__ import annotations

import orjson

from app.stores import keys
from app.stores.records.recordings import Claim, RecordedPieces, RecordingId, RecordingState
from app.stores.scripts import Scripts
from app.stores.secrets import UnreadableSecret, Vault

RETENTION_SECONDS = 600  # of a response, from its end
MAX_RECORDINGS = 1000  # of one API key; the oldest that has ended is evicted
MAX_BYTES = 32 * 1024 * 1024  # of one API key, sealed
MAX_POOL_BYTES = 256 * 1024 * 1024  # of all API keys of a pool, unless the settings have another bound
READ_PIECES = 8  # at a time


class RecordingRepository:
    """Recorded responses by API key, endpoint and `Idempotency-Key`. Each method raises StoreUnavailable."""

    def __init__(
        self, scripts: Scripts, vault: Vault, lease_seconds: float, max_pool_bytes: int = MAX_POOL_BYTES
    ) -> None:
        """*lease_seconds*: a claim that is not renewed ends after that."""
        self._max_pool_bytes = max_pool_bytes
        self._scripts = scripts
        self._vault = vault
        self._times = {
            "lease_ms": round(lease_seconds * 1000),
            "retention_ms": round(RETENTION_SECONDS * 1000),
        }

    def claim(self, request: RecordingId, fingerprint: str) -> Claim:
        """Claim the `Idempotency-Key` for *request*; return the request that holds it, perhaps another."""
        args = {
            "key": request.key,
            "digest": request.digest,
            "run": request.run,
            "fingerprint": fingerprint,
            "max_recordings": MAX_RECORDINGS,
        }
        run, state, known = self._scripts.run(
            "claim_recording", request.pool, orjson.dumps(args | self._times)
        )
        return Claim(run, RecordingState(state), known)

    def record(
        self, request: RecordingId, at: int, piece: bytes, state: RecordingState, *, ended: bool = False
    ) -> RecordingState:
        """
        Add *piece*, unless it is empty, after the first *at* pieces; renew the claim, or end it.

        Return the state that is recorded: TOO_LARGE where there is no room, POOL_FULL where the pool has
        none, LOST without the claim.
        """
        args = {
            "key": request.key,
            "digest": request.digest,
            "run": request.run,
            "at": at,
            "state": state,
            "ended": ended,
            "max_bytes": MAX_BYTES,
            "max_pool_bytes": self._max_pool_bytes,
        }
        sealed = self._vault.seal_bytes(piece) if piece else b""
        return RecordingState(
            self._scripts.run("record_response", request.pool, orjson.dumps(args | self._times), sealed)
        )

    def read(self, request: RecordingId, at: int) -> RecordedPieces:
        """
        Return the state of *request*, and up to `READ_PIECES` pieces after the first *at*.

        LOST where it is gone, TOO_LARGE also where its pieces cannot be decrypted.
        """
        pipeline = self._scripts.client.pipeline(transaction=False)
        # The state is read first: if the response was complete by then, so are its pieces.
        pipeline.hmget(keys.recording(request.pool, request.digest), "run", "state")
        pipeline.lrange(
            keys.recorded_pieces(request.pool, request.digest, request.run), at, at + READ_PIECES - 1
        )
        pipeline.llen(keys.recorded_pieces(request.pool, request.digest, request.run))
        (run, state), sealed, length = pipeline.execute()
        # Without pieces, a complete response was evicted since the first command.
        is_evicted = state == RecordingState.STORED and not sealed and not length
        if run != request.run or is_evicted:
            return RecordedPieces(RecordingState.LOST, [])
        try:
            return RecordedPieces(RecordingState(state), [self._vault.open_bytes(each) for each in sealed])
        except UnreadableSecret:
            return RecordedPieces(RecordingState.TOO_LARGE, [])
