"""What holds for a whole pool."""

from __future__ import annotations

import pytest

from app.accounts.settings import settings_from
from app.config import TimeLimits
from app.stores import keys
from app.wiring import Services
from schemas.admin import PoolChange
from schemas.bounds import POOL_NUMBERS
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor

HOME = f"/admin/p/{POOL}/settings"


def stored(services: Services) -> str:
    return services.scripts.client.hget(keys.pool(POOL), "settings") or ""


class TestRouting:
    def test_saved(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        form = {
            "policy": "ordered",
            "zone": "Asia/Tokyo",
            "tells_windows": "yes",
            "stream_upstream": "auto",
            "keep_days": "90",
            "affinity_minutes": "0",
            "assumed_output_tokens": "4096",
            "queue_seconds": "60",
            "queue_length": "500",
        }

        assert inside.send(f"{HOME}/routing", form).status_code == 303

        (one,) = services.pools.all()
        assert (one.policy, one.zone) == ("ordered", "Asia/Tokyo")
        pool_settings = settings_from(stored(services))
        assert (pool_settings.names_accounts, pool_settings.tells_windows) == (False, True)
        assert (
            pool_settings.keep_days,
            pool_settings.affinity_minutes,
            pool_settings.assumed_output_tokens,
        ) == (90, 0, 4096)
        assert (pool_settings.queue_seconds, pool_settings.queue_length) == (60, 500)
        assert pool_settings.stream_upstream == "auto"
        assert "ordered" in inside.get(HOME).text

    def test_nothing_of_it_is_saved_where_a_part_is_wrong(
        self, inside: Visitor, services: Services, pool: Furnished
    ) -> None:
        response = inside.send(f"{HOME}/routing", {"policy": "ordered", "zone": "Nowhere"})

        assert response.status_code == 400
        assert 'id="zone-error"' in response.text
        assert 'value="Nowhere"' in response.text
        assert services.pools.all()[0].policy == "balanced"

    @pytest.mark.parametrize("days", ["", "0", "soon", "99999"])
    def test_days_that_cannot_be(
        self, inside: Visitor, services: Services, pool: Furnished, days: str
    ) -> None:
        response = inside.send(f"{HOME}/routing", {"policy": "ordered", "zone": "UTC", "keep_days": days})

        assert (response.status_code, 'id="keep_days-error"' in response.text) == (400, True)
        assert stored(services) == ""


class TestTimeLimits:
    def test_saved_and_taken_back(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        inside.send(f"{HOME}/time-limits", {"of": "*", "idle": "33", "total": "700.5"})
        limits = settings_from(stored(services)).limits_for("gpt-5", TimeLimits())
        assert (limits.idle, limits.total) == (33, 700.5)
        assert 'value="700.5"' in inside.get(f"{HOME}/time-limits").text

        inside.send(f"{HOME}/time-limits", {"of": "*", "idle": "33"})
        assert settings_from(stored(services)).limits_for("gpt-5", TimeLimits()).total == TimeLimits().total

    def test_of_some_models(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        inside.send(f"{HOME}/time-limits", {"of": "o3*", "total": "900"})

        pool_settings = settings_from(stored(services))
        assert pool_settings.limits_for("o3-mini", TimeLimits()).total == 900
        assert pool_settings.limits_for("gpt-5", TimeLimits()).total == TimeLimits().total
        assert "o3*" in inside.get(HOME).text

    def test_no_numbers(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        response = inside.send(
            f"{HOME}/time-limits", {"of": "*", "idle": "nan", "total": "-3", "connect": "x"}
        )

        assert response.status_code == 400
        for field in ("idle", "total", "connect"):
            assert f'id="{field}-error"' in response.text
        assert stored(services) == ""

    def test_numbers_that_do_not_fit_together(
        self, inside: Visitor, services: Services, pool: Furnished
    ) -> None:
        response = inside.send(f"{HOME}/time-limits", {"of": "*", "idle": "500"})

        assert response.status_code == 400
        assert "idle_reasoning" in response.text
        assert stored(services) == ""


class TestPools:
    def test_another(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        response = inside.send(HOME, {"name": "team-b"})

        assert response.location == "/admin/p/team-b/start"
        assert "team-b" in services.pools.names()
        assert "/admin/p/team-b/" in inside.get(HOME).text

    def test_a_name_that_none_can_have(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        response = inside.send(HOME, {"name": "Team B"})

        assert response.status_code == 400
        assert 'value="Team B"' in response.text
        assert services.pools.names() == [POOL]

    def test_one_that_is_not_there(self, inside: Visitor) -> None:
        assert inside.get("/admin/p/nowhere/").status_code == 404
        assert inside.get("/admin/p/<script>/keys").status_code == 404


def test_every_number_of_a_pool_can_be_set_on_the_page_and_by_the_api(inside: Visitor) -> None:
    page = inside.get(f"{HOME}/routing").text

    assert all(f'name="{name}"' in page for name in POOL_NUMBERS)
    assert POOL_NUMBERS.keys() <= PoolChange().fields.keys()
