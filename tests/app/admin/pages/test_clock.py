"""The time zone of the pages: that of the viewer, else that of the pool."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from app.admin.pages import clock
from app.errors import InvalidRequest
from app.wiring import Services

AT = 1_795_264_850  # 2026-11-21T12:40:50Z


@pytest.fixture
def pool_in_tokyo(services: Services) -> Services:
    services.pools.ensure("default")
    services.pools.change("default", zone="Asia/Tokyo")
    return services


@pytest.fixture
def in_berlin(app: Flask) -> Iterator[None]:
    with app.test_request_context("/", headers={"Cookie": f"{clock.COOKIE}=Europe/Berlin"}):
        yield


class TestZone:
    def test_of_the_viewer(self, in_berlin: None) -> None:
        assert clock.zone_name() == "Europe/Berlin"

    @pytest.mark.parametrize(
        "name", ["", "Mars/Olympus", "../../etc/passwd", "x" * 5000, "Europe/Berlin\x00"]
    )
    def test_of_the_pool_without_a_known_one(self, app: Flask, pool_in_tokyo: Services, name: str) -> None:
        """The cookie comes from outside: only a name from the list of zones is used."""
        with app.test_request_context("/", headers={"Cookie": f"{clock.COOKIE}={name}"}):
            assert clock.zone_name() == "Asia/Tokyo"

    def test_without_a_request(self) -> None:
        assert clock.zone_name() == "UTC"


class TestMoment:
    def test_names_its_zone(self, in_berlin: None) -> None:
        assert clock.moment(AT) == '<time datetime="2026-11-21T12:40:50Z">2026-11-21 13:40 CET</time>'

    def test_with_seconds(self) -> None:
        assert clock.moment(AT, seconds=True) == (
            '<time datetime="2026-11-21T12:40:50Z" data-seconds>2026-11-21 12:40:50Z</time>'
        )

    @pytest.mark.parametrize("none", [None, 0])
    def test_of_none(self, none: int | None) -> None:
        assert clock.moment(none) == "–"
        assert clock.input_moment(none) == ""

    @pytest.mark.parametrize("seconds", [1e18, 253_402_300_799 + 86_400])
    def test_past_the_calendar(self, in_berlin: None, seconds: float) -> None:
        assert clock.moment(seconds) == "far in the future"
        assert clock.input_moment(seconds) == ""


class TestForms:
    def test_a_shown_time_is_read_again(self, in_berlin: None) -> None:
        text = clock.input_moment(AT)

        assert text == "2026-11-21T13:40"
        assert clock.parse_moment(text, "since") == AT - 50

    def test_an_offset_is_respected(self, in_berlin: None) -> None:
        assert clock.parse_moment("2026-11-21T12:40:50Z", "since") == AT

    def test_empty(self, in_berlin: None) -> None:
        assert clock.parse_moment("  ", "since") is None

    def test_an_invalid_one_names_its_field(self, in_berlin: None) -> None:
        with pytest.raises(InvalidRequest) as refused:
            clock.parse_moment("soon", "until")

        assert refused.value.param == "until"
