"""Responses of upstreams: their content types."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.errors import UpstreamProtocolError
from app.upstream.responses import NO_CONTENT, content_type_of, essence_of


@pytest.mark.parametrize(
    ("value", "essence"),
    [
        ("application/json", "application/json"),
        (" Text/Event-Stream ; charset=utf-8", "text/event-stream"),
        ("", ""),
    ],
)
def test_essence(value: str, essence: str) -> None:
    assert essence_of({"Content-Type": value}) == essence


def test_no_content_type() -> None:
    assert essence_of({}) == ""


@pytest.mark.parametrize("status", NO_CONTENT)
def test_no_content(status: int) -> None:
    response: Any = SimpleNamespace(status=status, headers={"Content-Type": "application/json"})

    with pytest.raises(UpstreamProtocolError, match=str(status)):
        content_type_of(response)
