"""Settings of the requests to an account, as they are stored, changed and applied."""

from __future__ import annotations

from dataclasses import fields

import orjson
import pytest

from app.accounts.own_proxy import OwnProxy
from app.accounts.request_settings import NO_SETTINGS, RequestSettings, changed_settings, settings_from
from app.config import TimeLimits
from app.errors import InvalidRequest

EVERY = RequestSettings(
    headers={"X-A": "1"},
    secret_headers={"X-S": "t-secret"},
    auth_header="api-key",
    model_names={"gpt-5": "dep"},
    response_model="upstream",
    websocket="on",
    drop_fields=("user",),
    set_fields={"temperature": 0.2},
    timeout_seconds=300,
    first_token_timeout_seconds=90,
    connect_timeout_seconds=2,
    ca_certificates="PEM",
    proxy=OwnProxy("http://ann@h:1", True, "p-secret"),
)


class TestStored:
    def test_every_setting(self) -> None:
        assert all(getattr(EVERY, each.name) != getattr(NO_SETTINGS, each.name) for each in fields(EVERY))
        assert settings_from(EVERY.dumps(), EVERY.dump_secrets()) == EVERY

    def test_secrets_are_apart(self) -> None:
        assert 'secret"' not in EVERY.dumps().replace("secret_headers", "")
        assert settings_from(EVERY.dumps(), "").secret_headers == {"X-S": ""}
        assert settings_from(EVERY.dumps(), "").proxy == OwnProxy("http://ann@h:1", True, "")

    def test_none(self) -> None:
        """Nothing is stored, and an account without settings has the one object that code compares with."""
        assert (NO_SETTINGS.dumps(), NO_SETTINGS.dump_secrets()) == ("", "")
        assert settings_from("", "") is NO_SETTINGS

    def test_of_an_earlier_version(self) -> None:
        settings = settings_from('{"headers":{"X-A":"1"}}', "")

        assert settings == RequestSettings(headers={"X-A": "1"})
        assert orjson.loads(settings.dumps()) == {"headers": {"X-A": "1"}}


class TestChanged:
    def test_what_is_not_named_stays(self) -> None:
        assert changed_settings(EVERY, {}) == EVERY

    def test_merged_and_replaced(self) -> None:
        changed = changed_settings(
            EVERY,
            {
                "model_names": {"gpt-5": None, "o3": "x"},
                "set_fields": {"top_k": 4},
                "drop_fields": ["top_p", "top_p"],
                "timeout_seconds": 0,
            },
        )

        assert changed.model_names == {"o3": "x"}
        assert changed.set_fields == {"temperature": 0.2, "top_k": 4}
        assert (changed.drop_fields, changed.timeout_seconds) == (("top_p",), 0)

    def test_all_taken_back(self) -> None:
        back = {"headers": {"X-A": None}}

        assert changed_settings(RequestSettings(headers={"X-A": "1"}), back) is NO_SETTINGS

    def test_secrets_that_cannot_be_read(self) -> None:
        """They would be lost: they are given again, or removed."""
        unreadable = settings_from(EVERY.dumps(), "")
        with pytest.raises(InvalidRequest, match="X-S cannot be read here"):
            changed_settings(unreadable, {"proxy": ""})
        with pytest.raises(InvalidRequest, match="password of the proxy cannot be read here"):
            changed_settings(unreadable, {"secret_headers": {"X-S": "t-2"}})


class TestApplied:
    def test_to_a_body(self) -> None:
        body = {"model": "gpt-5", "user": "u", "temperature": 1}

        assert EVERY.apply_to_body(body, "gpt-5") == {"model": "dep", "temperature": 0.2}
        assert body == {"model": "gpt-5", "user": "u", "temperature": 1}

    def test_without_a_change_it_is_the_same_object(self) -> None:
        body = {"model": "m"}

        assert RequestSettings(headers={"X-A": "1"}, model_names={"n": "x"}).apply_to_body(body, "m") is body

    def test_a_model_that_the_gateway_chose(self) -> None:
        """The image tool is called by another model than the one that was requested."""
        assert RequestSettings(model_names={"img": "x"}).apply_to_body({"model": "m"}, "img") == {
            "model": "m"
        }

    def test_time_limits(self) -> None:
        limits = EVERY.time_limits(TimeLimits())

        assert (limits.headers, limits.first_progress, limits.first_progress_reasoning) == (90, 90, 90)
        assert (limits.connect, limits.idle, limits.total) == (2, TimeLimits().idle, TimeLimits().total)
        assert NO_SETTINGS.time_limits(limits) is limits
        short = TimeLimits(connect=1, total=1)
        assert EVERY.time_limits(short).connect == 1, "not beyond the request's deadline"
