"""Which models a limit counts; the script that counts them decides in the same way."""

from __future__ import annotations

from typing import Any

import pytest

from app.limits.counted_models import counts_model
from tests.support.store import StoreOfTest


@pytest.mark.parametrize(
    ("pattern", "model", "expected"),
    [
        (None, "gpt-5", True),
        ("*", "gpt-5", True),
        ("gpt-5", "GPT-5", True),
        ("GPT-5*", "gpt-5-mini", True),
        ("gpt-5", "gpt-5-2025-08-07", True),
        ("gpt-5-2025-08-07", "gpt-5", False),
        ("gpt-5", "gpt-5-mini", False),
        ("gpt-5", "gpt-5-2025-08", False),
    ],
)
def test_as_the_script(redis_client: Any, pattern: str | None, model: str, expected: bool) -> None:
    assert counts_model(pattern, model) is expected
    store = StoreOfTest(redis_client)
    limit = {"id": "lim_1", "what": "requests", "per": "ever", "max": 5, "mode": "strict", "scope": "key"}
    store.key("k", limit | ({"model": pattern} if pattern else {}))
    store.account("a", models=(model,))

    limits = store.admit(model=model)["limits"]

    assert bool(limits) is expected
