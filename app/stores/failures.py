"""
Failures of the store: why it cannot be used, in one clause, and its address without the password.

Failures of accounts are in `app/accounts/failures.py`.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from redis.exceptions import RedisError

from app.errors import StoreUnavailable
from app.stores.client import make_client
from app.stores.errors import unavailable
from app.stores.scripts import Scripts

T = TypeVar("T")

MAX_WORDS = 200  # longest text of an error that is not in the table
PROBE, PROBE_MS = "pg:probe", 1000  # key that tests whether the store takes writes, and its expiry


@dataclass(frozen=True, slots=True)
class StoreFailure:
    """Why the store cannot be used: a clause without a subject, and what an operator can do."""

    clause: str
    remedy: str


START = "start it, or set REDIS_URL to where it is"
_LATE = StoreFailure("does not answer in time: it is stopped, too busy, or cut off by a firewall", START)
_UNTRUSTED = StoreFailure(
    "has a TLS certificate that is not trusted", "set the CA file in REDIS_URL: ?ssl_ca_certs=FILE"
)
_UNRESOLVED = StoreFailure("has a host name that could not be resolved", "correct the host name in REDIS_URL")
# Matched in the text of errors, not by class: redis-py and scripts wrap errors differently.
_BY_TEXT = (
    (
        r"\bWRONGPASS\b|\bNOAUTH\b|Authentication required|invalid (?:user|pass)|without any pass",
        StoreFailure("refuses the password", "correct the password in REDIS_URL"),
    ),
    (
        r"\bNOPERM\b|has no permissions",
        StoreFailure(
            "does not let this user do that (see its access control list)",
            "allow this user all commands on the keys pg:*",
        ),
    ),
    (
        r"\bMISCONF\b|No space left",
        StoreFailure(
            "takes no writes: it cannot write to its disk (full, or failing)",
            "free space on its disk; it then takes writes again by itself",
        ),
    ),
    (
        r"\bOOM\b|used memory > 'maxmemory'",
        StoreFailure("takes no writes: its memory is full (maxmemory)", "give it more memory"),
    ),
    (
        r"\bREADONLY\b|read only replica",
        StoreFailure("takes no writes: it is a replica", "name its master, or the sentinels, in REDIS_URL"),
    ),
    (
        r"\bLOADING\b|loading the dataset",
        StoreFailure("is still loading its data; try again in a while", "wait until it has loaded them"),
    ),
    (r"CERTIFICATE_VERIFY_FAILED", _UNTRUSTED),
    (
        r"\bSSL\b|\bTLS\b|WRONG_VERSION_NUMBER",
        StoreFailure(
            "does not complete the TLS handshake (does it speak TLS?)",
            "use rediss:// in REDIS_URL if it speaks TLS, else redis://",
        ),
    ),
    (
        r"Name or service not known|nodename nor servname|No address associated",
        StoreFailure("has a host name that is unknown", _UNRESOLVED.remedy),
    ),
    (r"Temporary failure in name resolution", _UNRESOLVED),
    (r"[Cc]onnection refused", StoreFailure("refuses connections: nothing listens there", START)),
    (r"No such file or directory", StoreFailure("is not running: its socket is not there", START)),
    (
        r"Protocol error, got",
        StoreFailure(
            "answers, but not as Redis does: another server listens there", "set REDIS_URL to where it is"
        ),
    ),
    (r"No master found", StoreFailure("has no master that its sentinels know", "look at the sentinels' log")),
    (r"[Tt]imeout|timed out", _LATE),
)
_PASSWORD = re.compile(r"//[^/@\s]*@")


def public_address(url: str) -> str:
    """Return *url* without its user name, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def diagnose(error: BaseException) -> StoreFailure:
    """Return why the store failed, from *error* and its causes, and what to do."""
    errors = list(_chain(error))
    for each in errors:
        if isinstance(each, ssl.SSLCertVerificationError):
            return _UNTRUSTED
        if isinstance(each, socket.gaierror):
            return _UNRESOLVED
    text = "\n".join(str(each) for each in errors if not isinstance(each, StoreUnavailable))
    for pattern, failure in _BY_TEXT:
        if re.search(pattern, text):
            return failure
    if any(isinstance(each, TimeoutError) for each in errors):
        return _LATE
    reason = next((str(each) for each in errors if isinstance(each, RedisError) and str(each)), "")
    words = _PASSWORD.sub("//", " ".join(reason.split()))[:MAX_WORDS]
    return StoreFailure(f"does not answer: {words}" if words else "does not answer", START)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 10:
        yield error
        error, seen = error.__cause__ or error.__context__, seen + 1


def call_within(seconds: float, call: Callable[[], T]) -> T:
    """
    Return what *call* returns, or raise what it raises; StoreUnavailable when it takes longer.

    For calls without a time limit of their own, such as resolving a host name. A late *call* continues in
    a daemon thread.
    """
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(call())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not done:
        late = TimeoutError(f"Timeout after {seconds:g} s")
        raise unavailable(late) from late
    return done[0]


def check_reachable(scripts: Scripts, seconds: float) -> None:
    """Raise StoreUnavailable unless the store answers within *seconds*. A full store passes."""
    # Not PING, which fails when the disk is full, although reads work
    call_within(seconds, scripts.client.time)


def check_writable(url: str, seconds: float) -> None:
    """Raise StoreUnavailable unless something can be written to the store at *url*."""
    with closing(make_client(url, seconds)) as client:
        call_within(seconds, lambda: client.set(PROBE, "1", px=PROBE_MS))
