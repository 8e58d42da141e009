"""The settings in the guide are those of `app.config`."""

from __future__ import annotations

import re

from app.config import NAMES, Settings
from tests.support.guide import page

ROWS = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", page("settings"), re.M))


def test_every_variable_has_a_row_and_no_other_does() -> None:
    assert set(ROWS) == set(NAMES.values())


def test_the_defaults_are_the_real_ones() -> None:
    settings = Settings.from_environment({})
    units = {
        "max_body_bytes": 1024 * 1024,
        "store_timeout_seconds": 0.001,
    }
    in_words = {"redis_url", "redis_server", "home", "secret_keys", "user_agent", "metrics_token"}
    for field in set(NAMES) - in_words:
        value = getattr(settings.limits if field == "total" else settings, field)
        if isinstance(value, tuple):
            value = ", ".join(value)
        if field in units:
            value /= units[field]
        assert ROWS[NAMES[field]] == (f"{value:g}" if isinstance(value, int | float) else value), field
