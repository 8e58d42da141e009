"""Where a browser finds the operators' pages."""

from __future__ import annotations

import pytest

from app.api.operator_pages import find_operator_pages
from app.config import Settings


@pytest.mark.parametrize(
    ("admin", "host", "address"),
    [
        ("on", "gate.example", "/admin/"),
        ("off", "gate.example", ""),
        ("127.0.0.1:9000", "127.0.0.1:8080", "http://127.0.0.1:9000/admin/"),
        ("127.0.0.1:9000", "localhost:8080", "http://localhost:9000/admin/"),
        ("[::1]:9000", "[::1]:8080", "http://[::1]:9000/admin/"),
        ("127.0.0.1:9000", "192.0.2.1:8080", ""),  # it reaches another machine's loopback
        ("0.0.0.0:9000", "192.0.2.1:8080", "http://192.0.2.1:9000/admin/"),
        ("10.0.0.1:9000", "192.0.2.1:8080", "http://10.0.0.1:9000/admin/"),
        ("0.0.0.0:9000", "gate.example", ""),  # a proxy
        ("0.0.0.0:9000", "gate.example:8443", ""),
        ("0.0.0.0:9000", "a:b:c", ""),
        ("0.0.0.0:9000", "", ""),
    ],
)
def test_address(admin: str, host: str, address: str) -> None:
    assert find_operator_pages(Settings(admin=admin, port=8080), "http", host) == address
