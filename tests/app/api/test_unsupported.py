"""Endpoints that are not supported: an error after authentication, which is not to be retried."""

from __future__ import annotations

import pytest

from app.api.unsupported import MISSING, UNSUPPORTED
from tests.support.api import BEARER, FakeServices


@pytest.mark.parametrize("path", [*MISSING, *UNSUPPORTED])
def test_the_error_names_an_alternative(path: str) -> None:
    response = FakeServices().client().post(path.replace("<file>", "f"), headers=BEARER)

    assert response.status_code in (404, 501)
    assert response.json is not None
    assert response.json["error"]["message"] in (*MISSING.values(), *UNSUPPORTED.values())
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("path", [*MISSING, *UNSUPPORTED])
def test_authentication_comes_first(path: str) -> None:
    assert FakeServices().client().post(path.replace("<file>", "f")).status_code == 401
