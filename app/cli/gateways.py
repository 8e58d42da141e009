"""The gateways of this machine: those of `poolgate up`, or one at the address of the settings."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from app.config import Settings
from app.operations.diagnostic import Diagnostic, Level
from app.stores import failures, private_server
from app.supervision.readiness import reachable
from app.supervision.running import RunningGateway, running

PROBE_SECONDS = 1.0
MAX_REPLY_BYTES = 1000
NONE_RUNS = "no gateway runs on this machine"
START_ONE = "start one: poolgate up"


@dataclass(frozen=True, slots=True)
class FoundGateway:
    """A gateway of this machine, and whether it can serve requests now."""

    gateway: RunningGateway
    is_ready: bool


def find_gateways(settings: Settings) -> list[FoundGateway]:
    """
    Return the gateways that `poolgate up` runs with the home of *settings*, those that are ready first.

    Without any, it is the one that answers at the address of *settings*, as gunicorn alone runs it.
    """
    found = [FoundGateway(gateway, is_ready(gateway)) for gateway in running(settings.home)]
    if not found:
        other = RunningGateway(api_url(settings), pages_url(settings), "")
        found = [FoundGateway(other, True)] if is_ready(other) else []
    return sorted(found, key=lambda one: not one.is_ready)


def pages_origin(settings: Settings) -> str:
    """Return the origin of the pages of a ready gateway with the store of *settings*, '' without one."""
    store = store_address(settings)
    pages = (
        one.gateway.pages
        for one in find_gateways(settings)
        if one.is_ready and one.gateway.store in ("", store)
    )
    return next((url.removesuffix("/admin/") for url in pages if url), "")


def check_gateways(settings: Settings, found: Sequence[FoundGateway]) -> list[Diagnostic]:
    """Return the finding that no gateway serves; with a shared store, those of other machines may."""
    if any(one.is_ready for one in found):
        return []
    if found:
        what = f"{found[0].gateway.url} is not ready, so requests are refused"
        return [Diagnostic(Level.WRONG, "gateway", what, "look at what it prints")]
    if not uses_private_store(settings):
        return []
    return [Diagnostic(Level.WRONG, "gateway", f"{NONE_RUNS}, so requests are not answered", START_ONE)]


def uses_private_store(settings: Settings) -> bool:
    """Return whether *settings* name the private server under POOLGATE_HOME, which only this machine uses."""
    return settings.redis_url in ("", private_server.url(settings.home))


def is_ready(gateway: RunningGateway) -> bool:
    """Return whether *gateway* can serve requests now."""
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        reply = connection.getresponse()
        return reply.status == 200 and orjson.loads(reply.read(MAX_REPLY_BYTES)) == {"status": "ready"}
    except (OSError, http.client.HTTPException, ValueError):  # also a server that is no gateway
        return False
    finally:
        connection.close()


def store_address(settings: Settings) -> str:
    """Return the address of the store of *settings*, without a password."""
    return failures.public_address(settings.redis_url or private_server.url(settings.home))


def api_url(settings: Settings) -> str:
    """Return the base URL at which this machine reaches a gateway with *settings*."""
    return f"{_origin(settings.bind, settings.port)}/v1"


def pages_url(settings: Settings) -> str:
    """Return the URL of the admin pages, '' where they are off."""
    if settings.admin == "off":
        return ""
    if settings.admin_port is not None:
        return f"{_origin(settings.admin_host, settings.admin_port)}/admin/"
    return f"{_origin(settings.bind, settings.port)}/admin/"


def _origin(host: str, port: int) -> str:
    host = reachable(host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
