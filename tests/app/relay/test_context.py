"""What a call says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from app.relay.context import RequestContext
from app.stores.records.api_keys import ApiKey
from app.upstream.cancellation import Cancellation


@pytest.mark.parametrize(
    ("asked", "reasons"),
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
def test_whether_the_model_thinks_first(asked: dict[str, Any], reasons: bool) -> None:
    """Whatever the client calls it: upstreams are then waited for longer."""
    context = RequestContext(
        "req_1", "chat", "/v1/chat/completions", "m", asked, ApiKey("k", "k", "p"), Cancellation()
    )

    assert context.reasons is reasons
