"""What a pool's owner can set for all of its requests."""

from __future__ import annotations

import pytest

from app.accounts.settings import settings_from, with_time_limit
from app.config import TimeLimits
from app.errors import InvalidRequest

BASE = TimeLimits()


def text(*limits: tuple[str, str, float | None]) -> str:
    made = ""
    for pattern, name, seconds in limits:
        made = with_time_limit(made, pattern, name, seconds)
    return made


def test_nothing_set_changes_nothing() -> None:
    assert settings_from("").limits_for("m", BASE) == BASE


def test_a_limit_holds_for_every_model_of_its_pattern() -> None:
    settings = settings_from(text(("gpt-5*", "idle", 20)))

    assert settings.limits_for("gpt-5-mini", BASE).idle == 20
    assert settings.limits_for("gpt-4o", BASE).idle == BASE.idle


def test_the_more_special_pattern_wins() -> None:
    settings = settings_from(text(("gpt-5*", "idle", 20), ("*", "idle", 25), ("gpt-5-mini", "idle", 15)))

    assert [settings.limits_for(model, BASE).idle for model in ("x", "gpt-5", "gpt-5-mini")] == [25, 20, 15]


def test_a_limit_can_be_taken_back() -> None:
    assert settings_from(text(("*", "idle", 20), ("*", "idle", None))).limits_for("m", BASE) == BASE


@pytest.mark.parametrize(("name", "seconds"), [("patience", 5), ("idle", 0), ("idle", -1), ("idle", 500)])
def test_what_cannot_work_is_refused(name: str, seconds: float) -> None:
    with pytest.raises(InvalidRequest) as refused:
        text(("*", name, seconds))

    assert refused.value.param == "time_limit"
