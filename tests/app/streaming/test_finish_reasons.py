from __future__ import annotations

import pytest

from app.streaming.finish_reasons import FINISH_REASONS, is_absent, is_broken_off, standard_reason


@pytest.mark.parametrize(
    ("reason", "standard"),
    [
        ("eos", "stop"),
        ("model_length", "length"),
        ("MAX_TOKENS", "length"),
        ("sensitive", "content_filter"),
        ("tool_use", "tool_calls"),
        ("stop", "stop"),
        ("paused", "length"),
        ("abort", "abort"),
    ],
)
def test_standard_names(reason, standard):
    assert standard_reason(reason) == standard


@pytest.mark.parametrize("reason", ["abort", "error", "insufficient_system_resource", "network_error"])
def test_broken_off(reason):
    assert is_broken_off(reason)


@pytest.mark.parametrize("reason", [*sorted(FINISH_REASONS), "paused", "", None, 5])
def test_ends(reason):
    assert not is_broken_off(reason)


@pytest.mark.parametrize("reason", ["", "null", "None"])
def test_absent(reason):
    assert is_absent(reason)
    assert not is_absent("stop")
