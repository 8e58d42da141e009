from __future__ import annotations

from typing import Any

import pytest

from app.front import Front


def answered_by(path: str) -> str:
    def application(name: str) -> Any:
        return lambda environ, start_response: [name.encode()]

    front = Front(None, application("gateway"), application("admin"))  # type: ignore[arg-type]
    return b"".join(front({"PATH_INFO": path}, None)).decode()


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/api/keys"])
def test_admin_answers_under_its_own_address(path: str) -> None:
    assert answered_by(path) == "admin"


@pytest.mark.parametrize("path", ["/", "", "/administration", "/v1/models", "/v1/admin/"])
def test_the_gateway_answers_all_else(path: str) -> None:
    assert answered_by(path) == "gateway"
