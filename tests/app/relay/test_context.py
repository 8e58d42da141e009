"""What a request context states about its request."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.relay import make_request


@pytest.mark.parametrize(
    ("body", "is_requested"),
    [
        ({}, False),
        ({"reasoning": {"effort": "low"}}, True),
        ({"reasoning": {"effort": "none"}}, False),
        ({"reasoning": {"summary": "auto"}}, False),
        ({"reasoning": "odd"}, False),
        ({"reasoning_effort": "high"}, True),
        ({"reasoning_effort": "none"}, False),
        ({"reasoningEffort": "high"}, True),
        ({"thinking": {"type": "enabled"}}, True),
        ({"enable_thinking": False}, False),
    ],
)
def test_whether_reasoning_is_requested(body: dict[str, Any], is_requested: bool) -> None:
    """It is recognized under every name that clients use, because upstreams then need longer."""
    assert make_request(body=body).is_reasoning_requested is is_requested
