"""API keys: their format, and their stored form."""

from __future__ import annotations

import pytest

from app.stores.records.api_keys import (
    ApiKey,
    CutPolicy,
    KeyState,
    pool_of,
    read_stored_key,
    write_stored_key,
)
from app.stores.records.limits import Limit, LimitUnit, Period

LIMIT = Limit("lim_1", LimitUnit.REQUESTS, Period.DAY, 9)


@pytest.mark.parametrize(
    ("presented", "pool"),
    [
        (f"sk-pg-team-b-{'x' * 43}", "team-b"),
        (f"sk-pg-default-{'x' * 42}", None),
        (f"sk-{'x' * 43}", None),
        ("", None),
    ],
)
def test_pool_of(presented: str, pool: str | None) -> None:
    assert pool_of(presented) == pool


@pytest.mark.parametrize(
    ("models", "model", "allowed"),
    [
        ((), "gpt-5", True),
        (("gpt-5",), "gpt-5", True),
        (("gpt-5",), "gpt-5-mini", False),
        (("o4", "gpt-*"), "gpt-5-mini", True),
        (("gpt-*",), "gpt-*", True),  # the model route of that name
        (("gpt-*",), "o4", False),
    ],
)
def test_models_that_it_may_use(models: tuple[str, ...], model: str, allowed: bool) -> None:
    assert ApiKey("key_1", "ann", "default", models=models).may_use(model) is allowed


def test_stored_form() -> None:
    fields = write_stored_key({"models": ("m",), "limits": (LIMIT,), "expires_at": 1.5, "raw": True})

    assert fields["expires_ms"] == 1500
    stored = {"id": "key_1", "name": "ann"} | {name: str(value) for name, value in fields.items()}
    key = ApiKey(**read_stored_key(stored, "p"))
    assert (key.models, key.limits, key.expires_at, key.raw) == (("m",), (LIMIT,), 1.5, True)


def test_only_given_fields_are_written() -> None:
    assert write_stored_key({"state": KeyState.DISABLED}) == {"state": "disabled"}


def test_defaults() -> None:
    """Keys from before a field existed lack it."""
    key = ApiKey(**read_stored_key({"id": "key_1", "name": "ann"}, "p"))

    assert (key.state, key.on_cut, key.limits, key.expires_at) == (
        KeyState.ACTIVE,
        CutPolicy.FAIL,
        (),
        None,
    )


def test_public() -> None:
    """Limits are public by their stored names."""
    public = ApiKey("key_1", "ann", "p", limits=(LIMIT,)).public()

    assert public["limits"] == [LIMIT.to_json()]
    assert "settings" not in public
