"""
Store the sign-ins to ChatGPT accounts that are under way, for a quarter of an hour.

A stored flow is enough to take the sign-in over, so it is encrypted. Completing one removes it first,
so that it completes once.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import asdict

import orjson

from app.errors import NotFound
from app.stores import keys
from app.stores.records.sign_in_flows import SignInFlow, SignInMethod
from app.stores.scripts import Scripts
from app.stores.secrets import UnreadableSecret, Vault

SECONDS = 900
_ID = re.compile(r"flow_[0-9a-f]{24}")


def new_flow(way: SignInMethod, name: str, page: str, **fields: str | float) -> SignInFlow:
    """Return a flow that begins now; *fields* are further fields of a SignInFlow."""
    return SignInFlow(f"flow_{secrets.token_hex(12)}", way, name, page, time.time() + SECONDS, **fields)  # type: ignore[arg-type]


class SignInFlowRepository:
    def __init__(self, scripts: Scripts, vault: Vault) -> None:
        self._scripts = scripts
        self._vault = vault

    def put(self, pool: str, flow: SignInFlow) -> None:
        sealed = self._vault.seal(orjson.dumps(asdict(flow)).decode())
        self._scripts.client.set(keys.flow(pool, flow.id), sealed, ex=SECONDS)

    def find(self, pool: str, flow_id: str, way: SignInMethod) -> SignInFlow:
        """Return the flow with this id. Raises NotFound when it has ended or does not exist."""
        flow = self._read(pool, flow_id) if _ID.fullmatch(flow_id) else None
        if flow is None or flow.way is not way:
            raise NotFound("This sign-in has ended, or was never begun; please start again", param="flow")
        return flow

    def _read(self, pool: str, flow_id: str) -> SignInFlow | None:
        sealed = self._scripts.client.get(keys.flow(pool, flow_id))
        if not sealed:
            return None
        try:
            fields = orjson.loads(self._vault.open(sealed))
        except UnreadableSecret:
            return None
        return SignInFlow(**fields | {"way": SignInMethod(fields["way"])})

    def claim_poll(self, pool: str, flow: SignInFlow) -> bool:
        """Return whether the sign-in service may be polled now: at most once per interval of the flow."""
        key, wait_ms = keys.flow(pool, flow.id) + ":asked", max(1, int(flow.interval_seconds * 900))
        return bool(self._scripts.client.set(key, "1", nx=True, px=wait_ms))

    def take(self, pool: str, flow: SignInFlow) -> bool:
        """Remove *flow*; return whether it existed."""
        return bool(self._scripts.client.delete(keys.flow(pool, flow.id)))
