"""
How often somebody may try to sign in. A try counts before it is judged, so many at once are no way round.

One name may be tried a few times from one address, and more often from many. The latter does not hold
where somebody has signed in by that name of late: a stranger cannot lock its owner out. What a success
had counted is given back.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import secrets
from dataclasses import dataclass
from typing import Any

import orjson

from app.errors import TooManyAttempts
from app.formatting import duration
from app.operators.hashing_queue import Turn
from app.stores import keys
from app.stores.client import store_errors
from app.stores.scripts import Scripts

WINDOW_SECONDS = 15 * 60
KNOWN_SECONDS = 30 * 86400  # an address that a name has signed in from
NAME_AND_ADDRESS, ADDRESS, NAME = 5, 20, 50  # tries in one window


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """One try, counted under each of *places*; *known* marks that one like it was a success."""

    id: str
    places: tuple[str, ...]
    known: str


class Locked(TooManyAttempts):
    """`first`: nobody was refused for this reason before, so this one is worth a line in the audit book."""

    def __init__(self, seconds: float, *, first: bool) -> None:
        super().__init__(
            f"Too many attempts to sign in. Try again in {duration(math.ceil(seconds / 60) * 60)}.",
            retry_after_seconds=seconds,
        )
        self.first = first


class LoginThrottle:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def begin(self, name: str, address: str) -> LoginAttempt:
        """Count a try for *name* from *address*. Raises Locked."""
        where, who = _digest(network(address)), _digest(name)
        most = {f"both:{who}:{where}": NAME_AND_ADDRESS, f"from:{where}": ADDRESS, f"name:{who}": NAME}
        one = LoginAttempt(secrets.token_hex(8), tuple(most), f"known:{who}:{where}")
        limits: list[dict[str, Any]] = [
            {"what": what, "most": number, "window_ms": WINDOW_SECONDS * 1000}
            for what, number in most.items()
        ]
        limits[-1]["unless"] = one.known
        ask = orjson.dumps({"id": one.id, "limits": limits})
        wait_ms, *first = self._scripts.run("throttle_login", keys.SYSTEM, ask)
        if wait_ms:
            raise Locked(wait_ms / 1000, first=first == [1])
        return one

    def turn(self, one: LoginAttempt) -> Turn:
        """Return whether a success by this name from here is known, and how often its network has tried."""
        with store_errors():
            pipeline = self._scripts.client.pipeline(transaction=False)
            pipeline.exists(keys.login_attempts(one.known))
            pipeline.zcard(keys.login_attempts(one.places[1]))
            known, tries = pipeline.execute()
        return Turn(bool(known), int(tries))

    def forgive(self, one: LoginAttempt) -> None:
        """Give back what a try counted that was a success, and the failures of this name from here."""
        both, *others = one.places
        with store_errors():
            pipeline = self._scripts.client.pipeline(transaction=False)
            pipeline.delete(keys.login_attempts(both))
            for place in others:
                pipeline.zrem(keys.login_attempts(place), one.id)
            pipeline.set(keys.login_attempts(one.known), "1", ex=KNOWN_SECONDS)
            pipeline.execute()

    def forget(self, name: str) -> None:
        """Let *name* be tried anew: somebody at the machine says so."""
        with store_errors():
            client, who = self._scripts.client, _digest(name)
            for key in [
                keys.login_attempts(f"name:{who}"),
                *client.scan_iter(keys.login_attempts(f"both:{who}:*"), count=1000),
            ]:
                client.delete(key)


def network(address: str) -> str:
    """Return who *address* stands for: of IPv6 the /64, which one customer has whole."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return str(ip)
    mapped = ip.ipv4_mapped
    return str(mapped or ipaddress.ip_network((ip, 64), strict=False).network_address)


def _digest(text: str) -> str:
    """Names are as long as somebody likes, and may be a password typed into the wrong field."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
