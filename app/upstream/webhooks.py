"""
Post messages to webhooks, signed as Standard Webhooks documents it.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

import gevent
import requests
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from app.errors import OutOfDescriptors, StreamIdleTimeout, UpstreamError, UpstreamUnreachable
from app.upstream import connections
from app.upstream.errors import from_exception
from app.upstream.routes import RoutingAdapter
from schemas.bounds import wait_seconds

TIMEOUT_SECONDS = 5.0  # limit of one attempt, from connecting to the head of the response


@dataclass(frozen=True, slots=True)
class WebhookResponse:
    """The status of a response, and the wait that it requests, if any. Its body is not read."""

    status: int
    retry_after_seconds: float | None = None


def sign(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: HMAC-SHA256 of id, *timestamp* (Unix seconds) and body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


class WebhookClient:
    """Posts messages. One per process; a connection is opened for each message and then closed."""

    def __init__(self, *, user_agent: str) -> None:
        self._headers = {"Content-Type": "application/json", "User-Agent": user_agent}
        self._public = RoutingAdapter(connections.PUBLIC_ADDRESSES)
        self._anywhere = RoutingAdapter(connections.ANY_ADDRESS)

    def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, may_be_private: bool
    ) -> WebhookResponse:
        """
        Post *body* to *url*, without following redirects.

        With *may_be_private* the name of its host may resolve to a private address. Raises UpstreamError,
        whose text refers to an upstream, and OutOfDescriptors.
        """
        adapter = self._anywhere if may_be_private else self._public
        too_late = StreamIdleTimeout("The upstream did not answer in time")
        sent = {**self._headers, **headers, "Content-Length": str(len(body))}
        try:
            with gevent.Timeout(TIMEOUT_SECONDS, too_late):
                timeout = Timeout(total=TIMEOUT_SECONDS)
                response = adapter.route_for(url).post(sent, (body,), timeout)
                response.close()
        except (UpstreamError, OutOfDescriptors):
            raise
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise from_exception(error) from None  # its text may contain the address, which may be a secret
        return WebhookResponse(response.status, wait_seconds(response.headers.get("retry-after")))


def describe_failure(error: UpstreamError | OutOfDescriptors) -> str:
    """Return why a message could not be posted, as a sentence whose subject is the receiver."""
    if isinstance(error, UpstreamUnreachable) and "not public" in error.message:
        return "The receiver's name leads to an address that is not public; set --private to allow it"
    return error.message.replace("upstream", "receiver")
