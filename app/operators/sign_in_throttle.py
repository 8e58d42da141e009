"""
Limit attempts to sign in. An attempt counts before it is checked, so concurrent ones cannot get past.

One name may be tried a few times from one address, and more often from many addresses. The latter limit does
not apply at an address where the name has signed in recently, so that an attacker cannot lock its owner out.
A success gives its attempt back.
"""

from __future__ import annotations

import ipaddress
import math
import secrets
from dataclasses import dataclass

from app.errors import TooManyAttempts
from app.formatting import duration
from app.operators.hashing_queue import Priority
from app.stores.secrets import digest_of
from app.stores.sign_in_attempts import SignInAttemptLimit, SignInAttemptRepository

WINDOW_SECONDS = 15 * 60
KNOWN_SECONDS = 30 * 86400  # how long an address counts as known after a sign-in
NAME_AND_ADDRESS, ADDRESS, NAME = 5, 20, 50  # attempts per window


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """One attempt and its counters; `known_marker` is set if the name has signed in there before."""

    id: str
    name_and_address: str
    address: str
    name: str
    known_marker: str


class Locked(TooManyAttempts):
    """Too many attempts to sign in. `first`: the first refusal in a window, which is worth an audit entry."""

    def __init__(self, seconds: float, *, first: bool) -> None:
        super().__init__(
            f"Too many attempts to sign in. Try again in {duration(math.ceil(seconds / 60) * 60)}.",
            retry_after_seconds=seconds,
        )
        self.first = first


class SignInThrottle:
    def __init__(self, repository: SignInAttemptRepository) -> None:
        self._repository = repository

    def begin(self, name: str, address: str) -> SignInAttempt:
        """Count an attempt for *name* from *address*. Raises Locked."""
        address_digest, name_digest = _digest(network(address)), _digest(name)
        attempt = SignInAttempt(
            id=secrets.token_hex(8),
            name_and_address=f"both:{name_digest}:{address_digest}",
            address=f"from:{address_digest}",
            name=f"name:{name_digest}",
            known_marker=f"known:{name_digest}:{address_digest}",
        )
        refusal = self._repository.count(
            attempt.id,
            [
                SignInAttemptLimit(attempt.name_and_address, NAME_AND_ADDRESS, WINDOW_SECONDS),
                SignInAttemptLimit(attempt.address, ADDRESS, WINDOW_SECONDS),
                SignInAttemptLimit(attempt.name, NAME, WINDOW_SECONDS, unless=attempt.known_marker),
            ],
        )
        if refusal is not None:
            raise Locked(refusal.wait_seconds, first=refusal.is_first)
        return attempt

    def priority(self, attempt: SignInAttempt) -> Priority:
        """Return the place of *attempt* in the hashing queue."""
        is_known, attempts = self._repository.read(attempt.known_marker, attempt.address)
        return Priority(is_known, attempts)

    def succeed(self, attempt: SignInAttempt) -> None:
        """Give back a successful attempt, and forget the failures of its name at its address."""
        self._repository.succeed(
            attempt.id,
            clear=attempt.name_and_address,
            uncount=(attempt.address, attempt.name),
            marker=attempt.known_marker,
            seconds=KNOWN_SECONDS,
        )

    def reset(self, name: str) -> None:
        """Allow *name* all its attempts again."""
        name_digest = _digest(name)
        self._repository.clear(f"name:{name_digest}")
        self._repository.clear_matching(f"both:{name_digest}:")


def network(address: str) -> str:
    """Return the part of *address* that one client controls: the /64 of an IPv6 address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return str(ip)
    mapped = ip.ipv4_mapped
    return str(mapped or ipaddress.ip_network((ip, 64), strict=False).network_address)


def _digest(text: str) -> str:
    """Return a short hash: a name may have any length, and may be a password typed in the wrong field."""
    return digest_of(text)[:32]
