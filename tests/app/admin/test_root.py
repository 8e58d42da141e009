"""The root of a port that the pages have for themselves."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(("path", "target"), [("/", "/admin/"), ("/favicon.ico", "/admin/static/icon.svg")])
def test_a_browser_is_redirected(app: Any, path: str, target: str) -> None:
    response = app.test_client().get(path)

    assert (response.status_code // 100, response.headers["Location"]) == (3, target)


def test_a_post_is_not(app: Any) -> None:
    response = app.test_client().post("/")

    assert response.status_code >= 400
    assert "Location" not in response.headers
