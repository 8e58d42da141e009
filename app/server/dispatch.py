"""The two applications behind one address: the gateway, and under `/admin` the pages and their API."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from app.server.client_address import ADDRESS, CLIENT_OF, Proxies

if TYPE_CHECKING:
    from app.wiring import Services

Application = Callable[..., Iterable[bytes]]
ADMIN = "/admin"


class Dispatcher:
    """
    With a port of its own the admin application has all of that, and nothing else; without one it
    has what is under `/admin`, and when it is None the gateway answers there as anywhere unknown.
    """

    def __init__(self, services: Services, gateway: Application, admin: Application | None) -> None:
        self.services = services
        self._gateway = gateway
        self._admin = admin
        port = services.settings.admin_port
        self._admin_port = None if port is None else str(port)
        self.trust(())

    def trust(self, proxies: Iterable[str]) -> None:
        """Believe *proxies*, addresses and networks as gunicorn takes them, whom they have forwarded."""
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
