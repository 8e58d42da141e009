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

    browser.shows("Model route fast was removed.")
    assert routes.all(pool.name) == {}


def test_a_new_route_with_a_name_that_exists(plain: Browser, pool: PoolOfTest) -> None:
    """The error leads to the page of that route."""
    routes = plain.gateway.services.routes
    routes.put(pool.name, ModelRoute("fast", ((RouteTarget("m"),), (RouteTarget("n"),))))
    plain.open("/settings/models")
    plain.find("main details.card > summary").click()
    plain.fill(name="fast", target_1_model="other")
    plain.press("Save")
    plain.find("#name-error a").click()
    assert plain.path.endswith("/settings/models?name=fast")
    plain.fill(target_2_model="o")
    plain.press("Save")

    steps = routes.find(pool.name, "fast").steps
    assert [target.model for (target,) in steps] == ["m", "o"]
