"""The services and the request of a view, without Flask's proxies."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, g, request

from app.api.context import EXTENSION, current_request, request_globals, services


@pytest.fixture
def app() -> Flask:
    app = Flask("gateway", static_folder=None)
    app.extensions[EXTENSION] = object()
    return app


def test_services(app: Flask) -> None:
    """They are those of the application that serves the request, if there are several."""
    other = Flask("other", static_folder=None)
    other.extensions[EXTENSION] = object()

    with app.app_context():
        assert services() is app.extensions[EXTENSION]
        with other.app_context():
            assert services() is other.extensions[EXTENSION]


def test_the_request_itself(app: Flask) -> None:
    """The same objects as the proxies stand for, so that both may be used."""
    with app.test_request_context("/x?a=1"):
        assert current_request() == request
        assert current_request().args["a"] == "1"

        own: Any = request_globals()
        own.name = "value"
        assert g.name == "value"


@pytest.mark.parametrize("function", [services, current_request, request_globals])
def test_outside_of_a_request(function: Any) -> None:
    with pytest.raises(RuntimeError):
        function()
