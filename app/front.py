"""The two applications behind one address: the gateway, and under `/admin` the pages and their API."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from app.wiring import Services

Application = Callable[..., Iterable[bytes]]
ADMIN = "/admin"


class Front:
    def __init__(self, services: Services, gateway: Application, admin: Application) -> None:
        self.services = services
        self._gateway = gateway
        self._admin = admin

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if path.startswith(ADMIN) and path[len(ADMIN) :][:1] in ("", "/"):
            return self._admin(environ, start_response)
        return self._gateway(environ, start_response)
