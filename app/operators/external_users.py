"""People whom another service has verified. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from app.stores.records.operators import Identity


@dataclass(frozen=True, slots=True)
class ExternalUser:
    """`email` is '' unless the service has verified it; `name` is the suggested name of the operator."""

    identity: Identity
    name: str
    email: str = ""
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """The state of a sign-in that began: what the same browser must present at its end."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
