"""Dispatch requests to the gateway, to `/admin` (pages of operators), or to `/my` (pages of key holders)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from app.config import Settings
from app.server.client_address import ADDRESS, CLIENT_OF, Proxies

Application = Callable[..., Iterable[bytes]]
ADMIN, HOLDERS = "/admin", "/my"


class ProcessServices(Protocol):
    """The part of `wiring.Services` that the dispatcher uses; gunicorn's hooks read them from it."""

    @property
    def settings(self) -> Settings: ...


class Dispatcher:
    """
    The WSGI application of a process.

    The admin application serves either all of a separate port, or `/admin` on the port of the gateway. The
    holders' application serves `/my` on the port of the gateway. If one is None, the gateway handles its path
    as an unknown one.
    """

    def __init__(
        self,
        services: ProcessServices,
        gateway: Application,
        admin: Application | None,
        holders: Application | None = None,
    ) -> None:
        self.services = services
        self._gateway = gateway
        self._admin = admin
        self._holders = holders
        port = services.settings.admin_port
        self._admin_port = None if port is None else str(port)
        self.trust(())

    def trust(self, proxies: Iterable[str]) -> None:
        """Trust the `X-Forwarded-For` of *proxies*, addresses and networks as in gunicorn's setting."""
        self._proxies = Proxies(proxies)
        self._client_of = self._proxies.client_of

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        pages = self._pages(environ)
        if pages is None:
            environ[CLIENT_OF] = self._client_of
            return self._gateway(environ, start_response)
        environ[ADDRESS] = self._proxies.client_of(environ)
        return pages(environ, start_response)

    def _pages(self, environ: dict[str, Any]) -> Application | None:
        """Return the application of pages that serves *environ*, None for the gateway."""
        if self._admin is not None and self._is_for_admin(environ):
            return self._admin
        return self._holders if _is_under(HOLDERS, environ["PATH_INFO"]) else None

    def _is_for_admin(self, environ: dict[str, Any]) -> bool:
        if self._admin_port is not None:
            # The port of the server's socket, not of the Host header
            return bool(environ["SERVER_PORT"] == self._admin_port)
        return _is_under(ADMIN, environ["PATH_INFO"])


def _is_under(root: str, path: str) -> bool:
    return path.startswith(root) and path[len(root) :][:1] in ("", "/")
