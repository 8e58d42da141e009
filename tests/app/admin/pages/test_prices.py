"""The page of prices."""

from __future__ import annotations

import re
import time

import pytest

from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor
from tests.support.ledger_rows import record_request

HOME = f"/admin/p/{POOL}/settings/prices"


class TestSetting:
    def test_own_price_and_back(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        form = {"model": "gpt-5", "input": "1.5", "output": "9", "cached_input": "0.15", "context": "1000"}
        assert inside.send(HOME, form).status_code == 303

        row = services.prices.current(POOL).rows()["gpt-5"]
        assert row["standard"] == {"input": 1_500_000, "output": 9_000_000, "cached_input": 150_000}
        assert row["context"] == 1000
        address = f"{HOME}/remove?model=gpt-5"
        assert f'href="{address}"' in inside.get(HOME).text

        assert "Remove the pool&#39;s own price of gpt-5?" in inside.get(address).text
        assert services.prices.own(POOL)

        removed = inside.send(address, {})
        assert (removed.status_code, removed.location) == (303, HOME)
        assert not services.prices.own(POOL)
        assert address not in inside.get(HOME).text
        assert inside.get(address).status_code == 404

    @pytest.mark.parametrize("shown", [HOME, f"{HOME}?model=other"])
    def test_a_price_is_replaced_on_its_own_page_only(
        self, inside: Visitor, services: Services, pool: Furnished, shown: str
    ) -> None:
        """Elsewhere, a model that has a price of the pool is an error, which leads to that page."""
        form = {"model": "llama", "input": "1", "output": "2"}
        inside.send(HOME, form)
        before = services.prices.own(POOL)

        refused = inside.send(shown, form | {"input": "9"})
        assert refused.status_code == 400
        error = refused.text.partition('id="model-error"')[2].partition("</span>")[0]
        assert f'<a href="{HOME}?model=llama">change it on its own page</a>' in error
        assert services.prices.own(POOL) == before

        assert inside.send(f"{HOME}?model=llama", form | {"input": "9"}).status_code == 303
        assert services.prices.own(POOL)["llama"]["standard"]["input"] == 9_000_000

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("input", "cheap"),
            ("output", ""),
            ("input", "-1"),
            ("input", "0.0000001"),
            ("context", "0"),
            ("model", " "),
        ],
    )
    def test_what_is_no_price(
        self, inside: Visitor, services: Services, pool: Furnished, field: str, value: str
    ) -> None:
        form = {"model": "llama", "input": "1", "output": "2", field: value}

        response = inside.send(HOME, form)

        assert response.status_code == 400
        assert f'id="{field}-error"' in response.text
        assert "llama" not in services.prices.current(POOL).rows()


def test_found_by_their_beginning(inside: Visitor, pool: Furnished) -> None:
    page = inside.get(f"{HOME}?q=gpt-5-mini").text

    assert "gpt-5-mini" in page
    assert "o3-pro" not in page


def test_the_form_begins_with_the_price_of_now(inside: Visitor, pool: Furnished) -> None:
    assert 'value="gpt-5"' in inside.get(f"{HOME}?model=gpt-5").text
    assert 'value="&lt;x&gt;"' in inside.get(f"{HOME}?model=<x>").text


class TestList:
    def test_models_in_use_without_a_price_come_first(
        self, inside: Visitor, services: Services, pool: Furnished
    ) -> None:
        for model in ("llama-4", "llama-4", "own-7b", "gpt-5"):
            record_request(services.scripts, POOL, time.time(), model=model)

        page = inside.get(HOME).text
        assert "2 models in use without a price" in page
        assert page.index("llama-4 <") < page.index("own-7b <")
        assert "2 requests" in page

        inside.send(HOME, {"model": "llama-4", "input": "1", "output": "2"})
        assert "1 model in use without a price" in inside.get(HOME).text

    def test_search_and_order(self, inside: Visitor, pool: Furnished) -> None:
        page = inside.get(f"{HOME}?q=MINI&sort=-output").text

        outputs = [float(text) for text in re.findall(r'data-label="Output">\$([\d.]+)<', page)]
        assert len(outputs) > 1
        assert outputs == sorted(outputs, reverse=True)
        assert all("mini" in name for name in re.findall(r'<th scope="row"><a [^>]*>([^<]*)', page))
        assert "No price matches" in inside.get(f"{HOME}?q=zzzz").text
