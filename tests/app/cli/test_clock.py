"""Commands print times in the pool's time zone, with its abbreviation; with --utc in UTC."""

from __future__ import annotations

import json

import pytest

from app.wiring import Services
from tests.app.cli.conftest import Run

EXPIRES = 1798761600  # 2027-01-01 00:00Z


@pytest.fixture
def berlin(services: Services) -> None:
    services.pools.ensure("default")
    services.pools.change("default", zone="Europe/Berlin")
    services.api_keys.create("default", "ann", expires_at=EXPIRES)


def test_the_zone_of_the_pool(poolgate: Run, berlin: None) -> None:
    assert "2027-01-01 01:00 CET" in poolgate("key list").stdout
    assert "2027-01-01 01:00 CET" in poolgate("key show ann").stdout


def test_utc(poolgate: Run, berlin: None) -> None:
    assert "2027-01-01 00:00Z" in poolgate("key list --utc").stdout
    assert "2027-01-01 00:00Z" in poolgate("key show ann --utc").stdout


def test_json_has_unix_seconds(poolgate: Run, berlin: None) -> None:
    assert json.loads(poolgate("key list --json").stdout)["data"][0]["expires_at"] == EXPIRES


@pytest.mark.parametrize(("zone", "shown"), [("UTC", "00:00Z"), ("Asia/Dubai", "04:00 UTC+04")])
def test_the_name_of_a_zone(poolgate: Run, services: Services, zone: str, shown: str) -> None:
    services.pools.ensure("default")
    services.pools.change("default", zone=zone)
    services.api_keys.create("default", "ann", expires_at=EXPIRES)

    assert f"2027-01-01 {shown}" in poolgate("key list").stdout


def test_csv_has_seconds_and_the_offset_of_the_zone(poolgate: Run, berlin: None) -> None:
    assert ",2027-01-01T01:00:00+01:00," in poolgate("key list --csv").stdout
    assert ",2027-01-01T00:00:00+00:00," in poolgate("key list --csv --utc").stdout
