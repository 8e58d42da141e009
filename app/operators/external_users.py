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
    """What the browser that began a sign-in has to bring back."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
