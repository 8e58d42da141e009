"""What the holder of a key sees: all of this key, and nothing of any other."""

from __future__ import annotations

import time
from typing import Any

import pytest
from flask import Flask

from app.ledger.refusal_log import RefusalLog
from app.limits.limit_syntax import parse_limit
from app.stores.records.prices import PriceRow
from app.stores.records.refusals import RefusedRequest
from app.wiring import Services
from tests.app.holders.conftest import POOL, Holder
from tests.support.ledger_rows import record_request

PAGES = ("/my", "/my?span=1h", "/my?span=30d", "/my/requests", "/my/models", "/my/clients", "/my/rotate")
ODD = ("%00", "%ff", "x" * 3000, "-1", "1e30", "0-0", "99999999999999999999-1", "é", "key_1", "*")


def views(app: Flask) -> set[str]:
    return {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint != "static"}


@pytest.fixture
def two(services: Services, secret: str) -> dict[str, str]:
    """Of ann and bob: the id of the key, after each made requests that only they may know of."""
    services.api_keys.create(POOL, "bob-key", owner="Bob B.", models=("m2", "bob-model"))
    ids = {}
    for name, key, tokens in (("ann", "ann", 111_111), ("bob", "bob-key", 222_222)):
        ids[name] = services.api_keys.find(POOL, key).id
        record_request(
            services.scripts,
            POOL,
            time.time(),
            key=ids[name],
            model=f"{name}-model",
            input_tokens=tokens,
            account=services.accounts.all(POOL)[0].id,
        )
        refusal = RefusedRequest(
            id=f"req_refused_{name}",
            at_ms=int(time.time() * 1000),
            model=f"{name}-refused",
            endpoint="/v1/responses",
            status=429,
            code="rate_limit_exceeded",
            message=f"It is spent by {name}",
            pool=POOL,
            key=ids[name],
        )
        log = RefusalLog(services.ledger.refusals)
        log.add(refusal)
        log.flush()
    return ids


class TestUsage:
    def test_figures_and_requests(self, ann: Holder, two: dict[str, str]) -> None:
        page = ann.get("/my").text

        assert "111k tokens in" in page
        assert "ann-model" in page
        assert "It is spent by ann" in page
        assert 'href="/docs/errors#rate_limit_exceeded"' in page

    def test_limits_of_the_key_its_team_and_the_pool(self, app: Flask, services: Services) -> None:
        services.teams.create(POOL, "research", (parse_limit("50 usd/month balanced"),))
        _, secret = services.api_keys.create(
            POOL, "bob", team="research", limits=(parse_limit("9 requests/day"),)
        )
        holder = Holder(app)
        holder.enter(secret)

        page = holder.get("/my").text

        assert "9 requests per day" in page
        assert "(team limit)" in page
        assert "resets" in page

    def test_a_key_that_was_never_used(self, ann: Holder) -> None:
        assert "No requests yet." in ann.get("/my").text
        assert "No requests." in ann.get("/my/requests").text

    def test_pages_of_requests(self, ann: Holder, services: Services) -> None:
        key_id = services.api_keys.find(POOL, "ann").id
        for number in range(30):
            record_request(services.scripts, POOL, time.time(), key=key_id, model=f"model-{number:02}")

        first = ann.get("/my/requests").text
        older = first.partition('href="/my/requests?cursor=')[2].partition('"')[0]
        second = ann.get(f"/my/requests?cursor={older}").text

        assert "model-29" in first
        assert "model-04" not in first
        assert "model-04" in second
        assert "Newest" in second


class TestModels:
    def test_only_those_of_the_key(self, app: Flask, services: Services, ann: Holder) -> None:
        _, secret = services.api_keys.create(POOL, "bob", models=("m2",))
        bob = Holder(app)
        bob.enter(secret)

        assert all(f">{name}" in ann.get("/my/models").text for name in ("m1", "m2"))
        page = bob.get("/my/models").text
        assert ">m2" in page
        assert ">m1" not in page

    def test_prices(self, ann: Holder, services: Services) -> None:
        row: PriceRow = {"standard": {"input": 1_250_000, "output": 10_000_000}, "context": 400_000}
        services.prices.put(POOL, "m1", row)

        page = ann.get("/my/models").text

        assert all(text in page for text in ("$1.25", "$10.00", "400,000"))

    def test_a_model_that_costs_nothing(self, ann: Holder, services: Services) -> None:
        """As the model of the simulated account."""
        services.prices.put(POOL, "m1", {"standard": {"input": 0, "output": 0}})

        assert ann.get("/my/models").text.count("free</td>") == 3


def test_snippets_have_the_address_of_the_gateway(ann: Holder) -> None:
    page = ann.get("/my/clients").text

    assert "http://gate.test/v1" in page
    assert "sk-pg-…" in page


class TestIsolation:
    """Two keys of a pool, and another pool."""

    HIDDEN = ("bob", "222", "Bob B.", "secret-account", "acct_")

    @pytest.mark.parametrize("path", PAGES)
    def test_nothing_of_the_other_key_nor_of_accounts(
        self, ann: Holder, two: dict[str, str], path: str
    ) -> None:
        response = ann.get(path)

        assert response.status_code == 200
        assert two["bob"] not in response.text
        assert [text for text in self.HIDDEN if text in response.text] == []

    @pytest.mark.parametrize(
        "name", ["key", "name", "key_id", "pool", "id", "cursor", "span", "team", "owner"]
    )
    def test_no_parameter_chooses_another_key(self, ann: Holder, two: dict[str, str], name: str) -> None:
        for path in ("/my", "/my/requests", "/my/models", "/my/clients", "/my/rotate"):
            for value in (two["bob"], "bob-key", *ODD):
                response = ann.get(f"{path}?{name}={value}")
                assert response.status_code in (200, 400), (path, value)
                assert "Bob B." not in response.text
                assert "bob-model" not in response.text
                assert "It is spent by bob" not in response.text

    def test_a_cursor_of_the_other_key(self, app: Flask, services: Services, two: dict[str, str]) -> None:
        """It is a position in the ledger, and finds only rows of this key."""
        ann = Holder(app)
        ann.enter(services.api_keys.rotate(POOL, "ann")[1])
        newest = services.ledger.entries.newest_id(POOL)

        page = ann.get(f"/my/requests?cursor={newest}").text

        assert "ann-model" in page
        assert "bob" not in page

    def test_the_cookie_names_the_key(self, app: Flask, services: Services, ann: Holder) -> None:
        """A session of one key is none of another, whatever else is changed in the cookie."""
        bob = services.api_keys.create(POOL, "bob")[0]
        with ann.client.session_transaction(base_url="http://gate.test/my") as cookie:
            cookie["key"] = bob.id

        assert not ann.is_inside()

    def test_a_key_of_the_same_name_in_another_pool(
        self, app: Flask, services: Services, ann: Holder
    ) -> None:
        services.pools.ensure("other")
        _, secret = services.api_keys.create("other", "ann", owner="Of another pool")
        other = Holder(app)
        other.enter(secret)

        assert "Of another pool" in other.get("/my").text
        assert "Of another pool" not in ann.get("/my").text
        with ann.client.session_transaction(base_url="http://gate.test/my") as cookie:
            cookie["pool"] = "other"
        assert not ann.is_inside()

    def test_no_view_of_operators_is_here(self, app: Flask, ann: Holder) -> None:
        assert views(app) == {
            *(
                "/my",
                "/my/sign-in",
                "/my/sign-out",
                "/my/requests",
                "/my/models",
                "/my/clients",
                "/my/rotate",
            ),
        }
        for path in ("/admin/", "/admin/p/default/keys", "/my/p/default/keys", "/my/api/keys"):
            assert ann.get(path).status_code == 404


class TestResponses:
    @pytest.mark.parametrize("path", [*PAGES, "/my/sign-in", "/my/nothing"])
    def test_headers(self, ann: Holder, path: str) -> None:
        headers = ann.get(path).headers

        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"

    def test_the_style_sheet_is_on_the_same_port(self, visitor: Holder) -> None:
        """The operators' pages may be on another one."""
        page = visitor.get("/my/sign-in").text

        assert 'href="/my/static/poolgate.css"' in page
        assert "/admin/" not in page
        assert visitor.get("/my/static/poolgate.css").status_code == 200

    @pytest.mark.parametrize("path", PAGES)
    def test_no_link_leads_to_the_pages_of_operators(self, ann: Holder, path: str) -> None:
        assert "/admin" not in ann.get(path).text

    def test_the_store_is_away(self, ann: Holder, services: Services, monkeypatch: Any) -> None:
        from app.errors import StoreUnavailable

        def fail(*_: object) -> None:
            raise StoreUnavailable("Redis is away")

        monkeypatch.setattr(type(services.api_keys), "authorize", fail)

        response = ann.get("/my")
        assert response.status_code == 503
        assert "Temporarily unavailable" in response.text
