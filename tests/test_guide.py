"""Tables of the guide have the settings, policies, units and periods that there are."""

from __future__ import annotations

import re

from app.accounts.pools import POLICIES
from app.config import NAMES, Settings
from app.stores.records.limits import LimitUnit, Period
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
        record = next(each for each in (settings, settings.sign_in, settings.limits) if hasattr(each, field))
        value = getattr(record, field)
        if isinstance(value, tuple):
            value = ", ".join(value)
        value = "none" if value == "" else value
        if field in units:
            value /= units[field]
        assert ROWS[NAMES[field]] == (f"{value:g}" if isinstance(value, int | float) else value), field


def test_every_policy_and_unit_is_described() -> None:
    policies = re.findall(r"^\| `(\w+)`", page("reliability"), re.MULTILINE)
    units = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \| ", page("keys"), re.MULTILINE)))

    assert set(policies) == set(POLICIES)
    names = {alias for unit in LimitUnit for alias in ({unit.value} | set(unit.traits.aliases))}
    assert set(units) <= names | {period.value for period in Period}
    assert all({unit.value, *unit.traits.aliases} & set(units) for unit in LimitUnit)
    assert {period.value for period in Period if period is not Period.NONE} <= set(units)
