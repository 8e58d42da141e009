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

# Matched in the text of errors, not by class: redis-py and scripts wrap errors differently.
_BY_TEXT = (
    (
        r"\bWRONGPASS\b|\bNOAUTH\b|Authentication required|invalid (?:user|pass)|without any pass",
        "refuses the password",
    ),
    (r"\bNOPERM\b|has no permissions", "does not let this user do that (see its access control list)"),
    (r"\bMISCONF\b", "takes no writes: it cannot write to its disk (full, or failing)"),
    (r"\bOOM\b|used memory > 'maxmemory'", "takes no writes: its memory is full (maxmemory)"),
    (r"\bREADONLY\b|read only replica", "takes no writes: it is a replica"),
    (r"\bLOADING\b|loading the dataset", "is still loading its data; try again in a while"),
    (r"CERTIFICATE_VERIFY_FAILED", "has a TLS certificate that is not trusted"),
    (r"\bSSL\b|\bTLS\b|WRONG_VERSION_NUMBER", "does not complete the TLS handshake (does it speak TLS?)"),
    (
        r"Name or service not known|nodename nor servname|No address associated",
        "has a host name that is unknown",
    ),
    (r"Temporary failure in name resolution", "has a host name that could not be resolved"),
    (r"[Cc]onnection refused", "refuses connections: nothing listens there"),
    (r"No such file or directory", "is not running: its socket is not there"),
    (r"Protocol error, got", "answers, but not as Redis does: another server listens there"),
    (r"No master found", "has no master that its sentinels know"),
    (r"[Tt]imeout|timed out", "does not answer in time: it is stopped, too busy, or cut off by a firewall"),
)
_PASSWORD = re.compile(r"//[^/@\s]*@")


def public_address(url: str) -> str:
    """Return *url* without its user name, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def describe(error: BaseException) -> str:
    """Return why the store failed, from *error* and its causes, as a clause without a subject."""
    errors = list(_chain(error))
    for each in errors:
        if isinstance(each, ssl.SSLCertVerificationError):
            return "has a TLS certificate that is not trusted"
        if isinstance(each, socket.gaierror):
            return "has a host name that could not be resolved"
    text = "\n".join(str(each) for each in errors if not isinstance(each, StoreUnavailable))
    for pattern, clause in _BY_TEXT:
        if re.search(pattern, text):
            return clause
    if any(isinstance(each, TimeoutError) for each in errors):
        return "does not answer in time: it is stopped, too busy, or cut off by a firewall"
    reason = next((str(each) for each in errors if isinstance(each, RedisError) and str(each)), "")
    words = _PASSWORD.sub("//", " ".join(reason.split()))[:MAX_WORDS]
    return f"does not answer: {words}" if words else "does not answer"


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
