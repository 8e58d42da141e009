from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.config import Settings
from app.server.client_address import ADDRESS
from app.server.dispatch import Dispatcher


def front_of(admin: str, seen: dict[str, Any] | None = None) -> Dispatcher:
    def application(name: str) -> Any:
        def response(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            (seen if seen is not None else {}).update(environ)
            return [name.encode()]

        return response

    services = SimpleNamespace(settings=Settings(admin=admin))
    return Dispatcher(
        services,  # type: ignore[arg-type]
        application("gateway"),
        None if admin == "off" else application("admin"),
        application("holders"),
    )


def answered_by(path: str, admin: str = "on", port: str = "8000") -> str:
    environ = {"PATH_INFO": path, "SERVER_PORT": port, "REMOTE_ADDR": "192.0.2.1"}
    return b"".join(front_of(admin)(environ, None)).decode()


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/api/keys"])
def test_admin_answers_under_its_own_address(path: str) -> None:
    assert answered_by(path) == "admin"


@pytest.mark.parametrize("path", ["/", "", "/administration", "/mystery", "/v1/models", "/v1/admin/"])
def test_the_gateway_answers_all_else(path: str) -> None:
    assert answered_by(path) == "gateway"


@pytest.mark.parametrize("path", ["/admin", "/admin/api/keys", "/v1/models"])
def test_switched_off_the_gateway_answers_everything(path: str) -> None:
    assert answered_by(path, "off") == "gateway"


@pytest.mark.parametrize("path", ["/my", "/my/", "/my/requests"])
def test_holders_of_keys_are_answered_at_the_port_of_the_gateway(path: str) -> None:
    assert answered_by(path) == "holders"
    assert answered_by(path, "off") == "holders"
    assert answered_by(path, "127.0.0.1:9000", "8000") == "holders"
    assert answered_by(path, "127.0.0.1:9000", "9000") == "admin"


@pytest.mark.parametrize("path", ["/admin/", "/v1/models", "/"])
def test_with_a_port_of_its_own_each_answers_at_its_own_alone(path: str) -> None:
    assert answered_by(path, "127.0.0.1:9000", "9000") == "admin"
    assert answered_by(path, "127.0.0.1:9000", "8000") == "gateway"


@pytest.mark.parametrize(("trusted", "address"), [((), "127.0.0.1"), (["127.0.0.1"], "203.0.113.7")])
def test_the_admin_application_receives_the_client_address(trusted: Any, address: str) -> None:
    """A request header cannot set this: WSGI gives headers other names."""
    seen: dict[str, Any] = {}
    front = front_of("on", seen)
    front.trust(trusted)

    front(
        {
            "PATH_INFO": "/admin/",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_X_FORWARDED_FOR": "198.51.100.1, 203.0.113.7",
            "HTTP_POOLGATE_ADDRESS": "198.51.100.1",
        },
        None,
    )

    assert seen[ADDRESS] == address
