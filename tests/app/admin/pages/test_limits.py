"""The page on which limits are changed."""

from __future__ import annotations

from app.limits.limit_syntax import format_limit, parse_limit
from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor

LIMITS = f"/admin/p/{POOL}/limits"
OF_KEY = f"{LIMITS}/of-key/ann"
OF_POOL = f"{LIMITS}/of-pool"


def row(amount: str, unit: str = "usd", period: str = "month", mode: str = "strict") -> dict[str, str]:
    """Return the fields of a limit to add."""
    parts = {"amount": amount, "unit": unit, "period": period, "mode": mode}
    return {f"limit_1_{part}": text for part, text in parts.items()}


def limits(services: Services) -> list[str]:
    key_id = services.api_keys.find(POOL, "ann").id
    return [format_limit(limit) for limit in services.limits.all(POOL, key_id)]


class TestOfAKey:
    def test_add_change_remove(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        pool.key("ann")

        inside.send(OF_KEY, {"do": "add", **row("5", "usd", "month", "balanced")})
        assert limits(services) == ["5 usd/month balanced"]

        limit_id = services.api_keys.find(POOL, "ann").limits[0].id
        inside.send(OF_KEY, {"do": "set", "id": limit_id, "changed": "$7.5"})
        assert limits(services) == ["7.5 usd/month"]

        address = f"{LIMITS}/remove?key=ann&id={limit_id}"
        assert address in inside.get(OF_KEY).text.replace("&amp;", "&")
        assert "Remove limit 7.5 usd/month of key ann?" in inside.get(address).text
        assert limits(services) == ["7.5 usd/month"]

        removed = inside.send(address, {})
        assert (removed.status_code, removed.location) == (303, OF_KEY)
        assert limits(services) == []

    def test_what_is_no_limit(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        pool.key("ann")

        response = inside.send(OF_KEY, {"do": "add", **row("a <b>lot")})

        assert response.status_code == 400
        assert 'id="limit_1_amount-error"' in response.text
        assert 'value="a &lt;b&gt;lot"' in response.text
        assert inside.send(OF_KEY, {"do": "add", **row("")}).status_code == 400
        assert limits(services) == []

    def test_an_error_is_shown_next_to_the_limit_that_was_to_be_changed(
        self, inside: Visitor, services: Services, pool: Furnished
    ) -> None:
        pool.key("ann", limits=(parse_limit("5 usd/month"), parse_limit("9 requests/day")))
        limit_id = services.api_keys.find(POOL, "ann").limits[1].id

        response = inside.send(OF_KEY, {"do": "set", "id": limit_id, "changed": "9.5"})

        assert response.status_code == 400
        assert response.text.count('id="changed-error"') == 1
        assert 'value="9.5"' in response.text
        assert limits(services) == ["5 usd/month", "9 requests/day"]

    def test_a_limit_that_counts_the_same(self, inside: Visitor, pool: Furnished) -> None:
        pool.key("ann", limits=(parse_limit("5 usd/month"),))

        inside.send(OF_KEY, {"do": "add", **row("9", "usd", "month")})

        assert "these limits count the same" in inside.get(OF_KEY).text

    def test_an_equal_limit(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        pool.key("ann", limits=(parse_limit("5 usd/month"),))

        inside.send(OF_KEY, {"do": "add", **row("5", "usd", "month")})

        assert "There is this limit already: 5 usd/month." in inside.get(OF_KEY).text
        assert limits(services) == ["5 usd/month"]

    def test_one_that_is_gone(self, inside: Visitor, pool: Furnished) -> None:
        pool.key("ann")

        assert inside.get(f"{LIMITS}/remove?key=ann&id=lim_x").status_code == 404
        assert inside.send(OF_KEY, {"do": "set", "id": "lim_x"}).status_code == 400

    def test_unknown_key(self, inside: Visitor) -> None:
        assert inside.get(OF_KEY).status_code == 404


def test_of_the_pool(inside: Visitor, services: Services, pool: Furnished) -> None:
    inside.send(OF_POOL, {"do": "add", **row("100", "parallel_requests")})

    assert [format_limit(limit) for limit in services.limits.all(POOL)] == ["100 parallel_requests"]
    pool.key("ann")
    assert "100 parallel_requests" in inside.get(f"/admin/p/{POOL}/keys/ann").text
    (limit,) = services.limits.all(POOL)
    assert inside.send(f"{LIMITS}/remove?id={limit.id}", {}).location == OF_POOL
    assert services.limits.all(POOL) == []
