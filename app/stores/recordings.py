"""
Sealed responses that are recorded while they are sent, for repeats with the same `Idempotency-Key`.

Two bounds prevent them from filling Redis. Above the bound of an API key its oldest recordings are evicted.
When a pool has no room left, no more are stored until some expire: a recording is a promise to its caller.
"""

from __future__ import annotations

import orjson

from app.stores import keys
from app.stores.records.recordings import Claim, RecordedPieces, RecordingId, RecordingState
from app.stores.scripts import Scripts
from app.stores.secrets import UnreadableSecret, Vault

RETENTION_SECONDS = 600  # how long a response is available after its end
MAX_RECORDINGS = 1000  # per API key; the oldest complete one is evicted
MAX_BYTES = 32 * 1024 * 1024  # per API key, sealed
MAX_POOL_BYTES = 256 * 1024 * 1024  # per pool, unless the settings have another bound
READ_PIECES = 8  # pieces that one call reads


class RecordingRepository:
    """Recorded responses by API key, endpoint and `Idempotency-Key`. Each method raises StoreUnavailable."""

    def __init__(
        self, scripts: Scripts, vault: Vault, lease_seconds: float, max_pool_bytes: int = MAX_POOL_BYTES
    ) -> None:
        """*lease_seconds*: how long a claim lasts without being renewed."""
        self._max_pool_bytes = max_pool_bytes
        self._scripts = scripts
        self._vault = vault
        self._times = {
            "lease_ms": round(lease_seconds * 1000),
            "retention_ms": round(RETENTION_SECONDS * 1000),
        }

    def claim(self, request: RecordingId, fingerprint: str) -> Claim:
        """Claim the `Idempotency-Key` for *request*; return the valid claim, possibly of another request."""
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

        Return the recorded state: TOO_LARGE if the API key has no room left, POOL_FULL if the pool has none,
        LOST if the request no longer holds the claim.
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

        The state is LOST if the recording is gone, TOO_LARGE also if its pieces cannot be decrypted.
        """
        pipeline = self._scripts.client.pipeline(transaction=False)
        # The state is read first: if it is complete, the pieces that are read next are complete as well.
        pipeline.hmget(keys.recording(request.pool, request.digest), "run", "state")
        pipeline.lrange(
            keys.recorded_pieces(request.pool, request.digest, request.run), at, at + READ_PIECES - 1
        )
        pipeline.llen(keys.recorded_pieces(request.pool, request.digest, request.run))
        (run, state), sealed, length = pipeline.execute()
        # A complete response without pieces was evicted after the first command.
        is_evicted = state == RecordingState.STORED and not sealed and not length
        if run != request.run or is_evicted:
            return RecordedPieces(RecordingState.LOST, [])
        try:
            return RecordedPieces(RecordingState(state), [self._vault.open_bytes(each) for each in sealed])
        except UnreadableSecret:
            return RecordedPieces(RecordingState.TOO_LARGE, [])
