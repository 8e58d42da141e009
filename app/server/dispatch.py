"""Dispatch requests to the gateway, or to the admin application under `/admin`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from app.config import Settings
from app.server.client_address import ADDRESS, CLIENT_OF, Proxies

Application = Callable[..., Iterable[bytes]]
ADMIN = "/admin"


class ProcessServices(Protocol):
    """What the dispatcher reads of `wiring.Services`; gunicorn's hooks find them on it."""

    @property
    def settings(self) -> Settings: ...


class Dispatcher:
    """
    The WSGI application of a process.

    With a port of its own the admin application serves every path of that port, and no other; without
    one it serves `/admin`. If it is None, `/admin` is an unknown path of the gateway.
    """

    def __init__(self, services: ProcessServices, gateway: Application, admin: Application | None) -> None:
        self.services = services
        self._gateway = gateway
        self._admin = admin
        port = services.settings.admin_port
        self._admin_port = None if port is None else str(port)
        self.trust(())

    def trust(self, proxies: Iterable[str]) -> None:
        """Trust the `X-Forwarded-For` of *proxies*, addresses and networks as in gunicorn's setting."""
        self._proxies = Proxies(proxies)
        self._client_of = self._proxies.client_of

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        admin = self._admin
        if admin is None or not self._is_for_admin(environ):
            environ[CLIENT_OF] = self._client_of
            return self._gateway(environ, start_response)
        environ[ADDRESS] = self._proxies.client_of(environ)
        return admin(environ, start_response)

    def _is_for_admin(self, environ: dict[str, Any]) -> bool:
        if self._admin_port is not None:
            return bool(environ["SERVER_PORT"] == self._admin_port)  # of our socket, not of the Host header
        path: str = environ["PATH_INFO"]
        return path.startswith(ADMIN) and path[len(ADMIN) :][:1] in ("", "/")
