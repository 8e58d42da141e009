"""The page of model routes, with scripts and without."""

from __future__ import annotations

import pytest

from app.stores.records.model_routes import ModelRoute, RouteTarget
from tests.browser.chromium import Browser
from tests.support.gateway import PoolOfTest

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("kind", ["inside", "plain"])
def test_a_route_is_removed_after_a_confirmation(
    kind: str, pool: PoolOfTest, request: pytest.FixtureRequest
) -> None:
    browser: Browser = request.getfixturevalue(kind)
    routes = browser.gateway.services.routes
    routes.put(pool.name, ModelRoute("fast", ((RouteTarget("m"),),)))
    browser.open("/settings/models")
    browser.find("table a.button").click()
    browser.shows("Remove model route fast?")
    assert set(routes.all(pool.name)) == {"fast"}
    browser.press("Remove")

    browser.shows("The model route fast was removed.")
    assert routes.all(pool.name) == {}
