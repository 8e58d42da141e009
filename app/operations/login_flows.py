"""
Sign-ins to ChatGPT accounts that a person has begun and not ended yet, for a quarter of an hour.

What is kept of one is enough to take it over, so it is sealed; whoever ends it takes it away first,
so it is ended once.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import asdict, dataclass

import orjson

from app.errors import NotFound
from app.stores import keys
from app.stores.client import store_errors
from app.stores.scripts import Scripts
from app.stores.secrets import UnreadableSecret, Vault

SECONDS = 900
_ID = re.compile(r"flow_[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class Flow:
    """
    A sign-in under way for the account *name*, by `device` or by `browser`.

    A person opens `page`, and for a device enters `user_code` there. The rest is ours to know.
    """

    id: str
    way: str
    name: str
    page: str
    until: float  # Unix seconds
    user_code: str = ""
    interval_seconds: float = 0.0  # how often it may be asked for
    secret: str = ""  # the device's id, or the code verifier
    state: str = ""
    redirect_uri: str = ""

    def public(self) -> dict[str, object]:
        told = {"id": self.id, "way": self.way, "name": self.name, "page": self.page, "until": self.until}
        beside = {"user_code": self.user_code, "interval_seconds": self.interval_seconds}
        return told | (beside if self.way == "device" else {})


def new_flow(way: str, name: str, page: str, **more: str | float) -> Flow:
    return Flow(f"flow_{secrets.token_hex(12)}", way, name, page, time.time() + SECONDS, **more)  # type: ignore[arg-type]


class LoginFlowRepository:
    def __init__(self, scripts: Scripts, vault: Vault) -> None:
        self._scripts = scripts
        self._vault = vault

    def keep(self, pool: str, flow: Flow) -> None:
        sealed = self._vault.seal(orjson.dumps(asdict(flow)).decode())
        with store_errors():
            self._scripts.client.set(keys.flow(pool, flow.id), sealed, ex=SECONDS)

    def find(self, pool: str, flow_id: str, way: str) -> Flow:
        """Return what was kept. Raises NotFound where it has ended, or never began."""
        sealed = None
        if _ID.fullmatch(flow_id):
            with store_errors():
                sealed = self._scripts.client.get(keys.flow(pool, flow_id))
        try:
            flow = Flow(**orjson.loads(self._vault.open(sealed))) if sealed else None
        except UnreadableSecret:
            flow = None
        if flow is None or flow.way != way:
            raise NotFound("This sign-in has ended, or was never begun; please start again", param="flow")
        return flow

    def may_ask(self, pool: str, flow: Flow) -> bool:
        """Whether the sign-in service may be asked now; it says itself how often that is."""
        key, wait_ms = keys.flow(pool, flow.id) + ":asked", max(1, int(flow.interval_seconds * 900))
        with store_errors():
            return bool(self._scripts.client.set(key, "1", nx=True, px=wait_ms))

    def take(self, pool: str, flow: Flow) -> bool:
        """End *flow*; say whether it had not ended before."""
        with store_errors():
            return bool(self._scripts.client.delete(keys.flow(pool, flow.id)))
