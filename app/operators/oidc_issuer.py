"""
The addresses and signing keys that an OpenID Connect issuer publishes.

Source: https://openid.net/specs/openid-connect-discovery-1_0.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from app.errors import UpstreamError, UpstreamProtocolError
from app.upstream.oidc import OidcHttp

METADATA_SECONDS = 3600.0  # lifetime of addresses and keys
RETRY_SECONDS = 5.0  # between attempts to read them
WAIT_SECONDS = 1.0  # to wait for an attempt of another request: a working issuer answers sooner
MAX_KEYS = 100
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
NO_ANSWER = "The sign-in service has not answered yet"


@dataclass(frozen=True, slots=True)
class Metadata:
    fields: Mapping[str, Any]
    keys: KeySet
    read_at: float


class OidcIssuer:
    """
    Reads the metadata of an issuer, at most once in `RETRY_SECONDS`, also if that succeeds.

    Until the next attempt, a failure is reported immediately, so that requests do not pile up while the
    issuer is down. The clock is one that is never set: else a time in the future would hold up attempts
    until it is reached. Calls raise UpstreamError.
    """

    def __init__(self, url: str, http: OidcHttp, clock: Callable[[], float] = time.monotonic) -> None:
        self.url = url
        self._http = http
        self._clock = clock
        self._lock = threading.Lock()
        self._metadata: Metadata | None = None
        self._tried_at = float("-inf")
        self._failure = NO_ANSWER

    def current(self) -> Metadata:
        """Return the addresses and keys; they are read again after `METADATA_SECONDS`."""
        found = self._metadata
        if found is not None and self._clock() < found.read_at + METADATA_SECONDS:
            return found
        return self._read(found)

    def newer(self, known: Metadata) -> Metadata:
        """
        Return addresses and keys that are newer than *known*, which lack a key; *known* if they were just
        read.
        """
        if self._clock() < self._tried_at + RETRY_SECONDS:
            return self._metadata or known
        return self._read(known)

    def checked_address(self, address: Any) -> str:
        """Return *address* if tokens may be sent there: by https, if the issuer itself uses https."""
        scheme = urlsplit(address).scheme if isinstance(address, str) else ""
        if not scheme or scheme not in ("https", urlsplit(self.url).scheme):
            raise UpstreamProtocolError("The sign-in service has an address without https")
        return str(address)

    def _read(self, known: Metadata | None) -> Metadata:
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise UpstreamError(NO_ANSWER, retry_after_seconds=RETRY_SECONDS)
        try:
            if self._metadata is not None and self._metadata is not known:
                return self._metadata  # another request has read them meanwhile
            wait_seconds = self._tried_at + RETRY_SECONDS - self._clock()
            if wait_seconds > 0:
                raise UpstreamError(f"{self._failure}: try again", retry_after_seconds=wait_seconds)
            self._tried_at, self._failure = self._clock(), NO_ANSWER
            try:
                self._metadata = self._discover()
            except UpstreamError as error:
                self._failure, self._tried_at = error.message, self._clock()
                raise
            return self._metadata
        finally:
            self._lock.release()

    def _discover(self) -> Metadata:
        fields = self._http.get(f"{self.url}/.well-known/openid-configuration")
        if str(fields.get("issuer", "")).rstrip("/") != self.url:
            raise UpstreamProtocolError("The sign-in service names another issuer than the settings do")
        for name in ENDPOINTS:
            self.checked_address(fields.get(name))
        return Metadata(fields, _key_set(self._http.get(fields["jwks_uri"])), self._clock())


def _key_set(found: Mapping[str, Any]) -> KeySet:
    """Return the public signing keys; those of unknown kinds are left out."""
    listed = found.get("keys")
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise UpstreamProtocolError("The sign-in service's keys have an unexpected form")
    usable = [key for key in listed if isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP")]
    try:
        return KeySet.import_key_set({"keys": [key for key in usable if key.get("use", "sig") == "sig"]})
    except (JoseError, ValueError, TypeError, KeyError):
        raise UpstreamProtocolError("The sign-in service's keys have an unexpected form") from None
