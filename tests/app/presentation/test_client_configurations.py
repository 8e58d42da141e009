"""The guide's page of the configurations of clients."""

from __future__ import annotations

from app.presentation.client_configurations import configurations
from tests.support.guide import page


def test_the_page_is_what_the_snippets_are() -> None:
    assert page("client-configurations") == configurations(), (
        "run: python -m app.presentation.client_configurations >app/docs/client-configurations.md"
    )
