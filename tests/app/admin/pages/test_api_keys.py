"""The pages of keys."""

from __future__ import annotations

import re
import time

from app.limits.limit_syntax import parse_limit
from app.stores import keys
from app.stores.records.refusals import RefusalGroup, RefusedRequest
from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor
from tests.support.ledger_rows import record_request
from tests.support.refusals import record_refusals

HOME = f"/admin/p/{POOL}/keys"


def secret_on(page: str) -> str:
    found = re.search(r'id="secret">(sk-pg-[\w-]+)<', page)
    assert found
    return found[1]


class TestMaking:
    def test_it_is_shown_once(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        form = {
            "name": "ann",
            "limit_1_amount": "5",
            "limit_1_unit": "usd",
            "limit_1_period": "month",
            "limit_3_amount": "10",
            "limit_3_unit": "requests",
            "limit_3_period": "minute",
            "limit_3_mode": "balanced",
            "models": "gpt-5",
            "on_cut": "restart",
        }

        response = inside.send(f"{HOME}/create", form)

        assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
        secret = secret_on(response.text)
        key = services.api_keys.authenticate(secret)
        assert (key.name, key.models, key.on_cut) == ("ann", ("gpt-5",), "restart")
        assert [limit.label for limit in key.limits] == ["$5.00 per month", "10 requests per minute"]
        assert [limit.mode for limit in key.limits] == ["strict", "balanced"]
        for path in ("", "/ann", "/ann/edit", "/ann/rotate"):
            assert secret not in inside.get(HOME + path).text

    def test_errors_are_shown_next_to_their_field(self, inside: Visitor, services: Services) -> None:
        form = {
            "name": "ann smith",
            "limit_1_amount": "much",
            "limit_2_model": "*" * 9,
            "label_1_name": "a b",
            "label_2_name": "env",
            "team": "none",
            "accounts": "nobody",
            "expires": "soon",
            "output_tokens": "-1",
            "queue_seconds": "601",
            "weight": "0",
            "models": "gpt-5",
        }

        response = inside.send(f"{HOME}/create", form)

        assert response.status_code == 400
        wrong = ("name", "expires", "output_tokens", "queue_seconds", "weight", "team", "accounts")
        rows = ("limit_1_amount", "limit_2_amount", "limit_2_model", "label_1_name", "label_2_value")
        for field in (*wrong, *rows):
            assert f'id="{field}-error"' in response.text, field
        for typed in ("ann smith", "much"):
            assert f'value="{typed}"' in response.text
        assert services.api_keys.all(POOL) == []

    def test_an_account_that_is_not_there(self, inside: Visitor, services: Services) -> None:
        response = inside.send(f"{HOME}/create", {"name": "ann", "accounts": "nobody", "on_cut": "fail"})

        assert response.status_code == 400
        assert 'id="accounts-error"' in response.text
        assert services.api_keys.all(POOL) == []


class TestChanging:
    def test_edit(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        pool.account("main")
        pool.key("ann", models=("gpt-5",), expires_at=1_900_000_000)

        form = {"models": "", "accounts": "main", "expires": "2031-01-01", "on_cut": "fail", "raw": "yes"}
        assert inside.send(f"{HOME}/ann/edit", form).status_code == 303

        key = services.api_keys.find(POOL, "ann")
        assert (key.models, len(key.accounts), key.raw, key.expires_at) == ((), 1, True, 1_924_992_000)

    def test_expiry_in_the_time_zone_of_the_viewer(
        self, inside: Visitor, services: Services, pool: Furnished
    ) -> None:
        """The field has no seconds; an expiry that was not changed stays exactly as it is."""
        pool.key("ann", expires_at=1_900_000_000)
        inside.client.set_cookie("poolgate_zone", "Europe/Berlin", domain="gate.test")
        assert 'value="2030-03-17T18:46"' in inside.get(f"{HOME}/ann/edit").text

        for typed, expected in (("2030-03-17T18:46", 1_900_000_000), ("2030-03-17T18:47", 1_900_000_020)):
            inside.send(f"{HOME}/ann/edit", {"expires": typed, "on_cut": "fail"})
            assert services.api_keys.find(POOL, "ann").expires_at == expected

    def test_expiry_in_days(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        pool.key("ann")

        inside.send(f"{HOME}/ann/edit", {"expires_in": "30", "expires": "2031-01-01", "on_cut": "fail"})

        expires_at = services.api_keys.find(POOL, "ann").expires_at or 0
        assert 0 <= services.clock.now() + 30 * 86_400 - expires_at < 60
        assert inside.send(f"{HOME}/ann/edit", {"expires_in": "8", "on_cut": "fail"}).status_code == 400

    def test_an_expiry_in_the_past_is_a_warning(
        self, inside: Visitor, services: Services, pool: Furnished
    ) -> None:
        """As on the command line and in the API: the key is created, and refused."""
        response = inside.send(f"{HOME}/create", {"name": "ann", "expires": "2020-01-01", "on_cut": "fail"})

        assert "it has expired already" in response.text
        assert services.api_keys.find(POOL, "ann").expires_at is not None

    def test_owner_and_labels(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        pool.key("ann")
        labels = {
            "label_1_name": "env",
            "label_1_value": "prod",
            "label_3_name": "tier",
            "label_3_value": "2",
        }
        form = {"owner": "Ann", "on_cut": "fail", **labels}

        assert inside.send(f"{HOME}/ann/edit", form).status_code == 303
        key = services.api_keys.find(POOL, "ann")
        assert (key.owner, key.labels) == ("Ann", (("env", "prod"), ("tier", "2")))
        page = inside.get(f"{HOME}/ann/edit").text
        assert re.search(r'name="label_2_name" value="tier"', page)
        assert inside.send(f"{HOME}/ann/edit", {**form, "label_4_name": "env"}).status_code == 400
        inside.send(f"{HOME}/ann/edit", {"owner": "", "on_cut": "fail"})
        key = services.api_keys.find(POOL, "ann")
        assert (key.owner, key.labels) == ("", ())

    def test_what_was_emptied_is_taken_back(
        self, inside: Visitor, services: Services, pool: Furnished
    ) -> None:
        pool.key("ann", expires_at=1_900_000_000, output_tokens=50)

        inside.send(f"{HOME}/ann/edit", {"expires": "", "output_tokens": "", "on_cut": "fail"})

        key = services.api_keys.find(POOL, "ann")
        assert (key.expires_at, key.output_tokens) == (None, 0)

    def test_its_place_in_the_queue(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        pool.key("ann", queue_seconds=0, weight=3)
        assert "<dd>0 s</dd>" in inside.get(f"{HOME}/ann").text
        page = inside.get(f"{HOME}/ann/edit").text
        assert re.search(r'name="weight"[^>]*value="3"', page) or re.search(
            r'value="3"[^>]*name="weight"', page
        )

        inside.send(f"{HOME}/ann/edit", {"queue_seconds": "60", "weight": "5", "on_cut": "fail"})
        key = services.api_keys.find(POOL, "ann")
        assert (key.queue_seconds, key.weight) == (60, 5)
        inside.send(f"{HOME}/ann/edit", {"queue_seconds": "", "weight": "", "on_cut": "fail"})
        key = services.api_keys.find(POOL, "ann")
        assert (key.queue_seconds, key.weight) == (None, 1)

    def test_rotate(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        former = pool.key("ann")

        response = inside.send(f"{HOME}/ann/rotate", {"hours": "1"})

        for secret in (former, secret_on(response.text)):
            assert services.api_keys.authenticate(secret).name == "ann"
        assert "The old secret stays valid until <time" in response.text
        page = inside.get(f"{HOME}/ann/rotate").text
        assert "The secret before the last rotation is still valid" in page
        again = inside.send(f"{HOME}/ann/rotate", {"hours": "0"}).text
        assert "The old secret is no longer valid. Note: the secret that an earlier rotation left" in again

    def test_rotate_with_the_longest_overlap(self, inside: Visitor, pool: Furnished) -> None:
        """90 days, as on the command line and in the API."""
        pool.key("ann")

        assert inside.send(f"{HOME}/ann/rotate", {"hours": "2160"}).status_code == 200

    def test_rotate_for_ever(self, inside: Visitor, pool: Furnished) -> None:
        pool.key("ann")

        for hours in ("2161", "-1", "one", ""):
            response = inside.send(f"{HOME}/ann/rotate", {"hours": hours})
            assert response.status_code == 400
            assert 'id="hours-error"' in response.text

    def test_disable_enable_remove(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        pool.key("ann")

        inside.send(f"{HOME}/ann/disable", {})
        assert services.api_keys.find(POOL, "ann").state == "disabled"
        inside.send(f"{HOME}/ann/enable", {}, shown_at=f"{HOME}/ann")
        assert services.api_keys.find(POOL, "ann").state == "active"
        inside.send(f"{HOME}/ann/remove", {})
        assert services.api_keys.all(POOL) == []


class TestShowing:
    def test_many(self, inside: Visitor, pool: Furnished) -> None:
        for number in range(53):
            pool.key(f"key{number:02}", limits=(parse_limit("5 requests/day"),))

        first, last = inside.get(HOME).text, inside.get(f"{HOME}?page=2").text

        assert ("key00" in first, "key52" in first) == (True, False)
        assert ("key00" in last, "key52" in last) == (False, True)
        assert "key17" in inside.get(f"{HOME}?q=Y17").text
        assert inside.get(f"{HOME}?page=99").status_code == 200
        assert inside.get(f"{HOME}?page=x&q=%00&sort=x").status_code == 200

    def test_order_and_figures(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        """Numbers in names count, and what is unknown is last in either order."""
        now = services.clock.now()
        limits = (parse_limit("4 requests/day"),)
        for name, more in (("k2", {"limits": limits}), ("k10", {"expires_at": now + 60}), ("k1", {})):
            pool.key(name, **more)
        for name, requests in (("k10", 1), ("k2", 3)):
            key_id = services.api_keys.find(POOL, name).id
            for _ in range(requests):
                record_request(services.scripts, POOL, now, key=key_id, cost=1_100_000, status=502)

        expected = {
            "name": ["k1", "k2", "k10"],
            "-name": ["k10", "k2", "k1"],
            "-cost": ["k2", "k10", "k1"],
            "requests": ["k1", "k10", "k2"],
            "-errors": ["k2", "k10", "k1"],
            "-last_used": ["k2", "k10", "k1"],
            "-nearest": ["k2", "k1", "k10"],
            "expires": ["k10", "k1", "k2"],
        }
        for sort, order in expected.items():
            page = inside.get(f"{HOME}?sort={sort}").text
            assert re.findall(r'name="name" value="(\w+)"', page) == order, sort
        page = inside.get(HOME).text
        assert "In 24 h: 4 requests, 4 errors, 0 refused, $4.40" in page
        assert "never</td>" in page

    def test_last_use(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        """It is exact, also outside of the span; of an earlier version, only that there was any is known."""
        for name in ("exact", "earlier", "never"):
            pool.key(name)
        ids = {key.name: key.id for key in services.api_keys.all(POOL)}
        for name in ("exact", "earlier"):
            record_request(services.scripts, POOL, time.time() - 9 * 86_400, key=ids[name])
        services.scripts.client.delete(keys.last_used(POOL))
        services.scripts.client.hset(keys.last_used(POOL), ids["exact"], 1_767_225_600_000)

        cells = re.findall(r'data-label="Last used" class="number">(.*?)</td>', inside.get(HOME).text)

        assert "2026-01-01T00:00:00" in cells[1]
        assert (cells[0], cells[2]) == ("earlier", "never")

    def test_filters(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        pool.key("ann", owner="Ann <a@b>", labels={"env": "prod"}, limits=(parse_limit("5 usd/day"),))
        pool.key("bob", labels={"env": "test"}, models=("gpt-5",), expires_at=1_000_000_000)
        record_request(
            services.scripts, POOL, services.clock.now(), key=services.api_keys.find(POOL, "ann").id
        )

        queries = {
            "owner=Ann+<a@b>": ["ann"],
            "labels=env%3Dtest": ["bob"],
            "labels=env": ["ann", "bob"],
            "q=a@B": ["ann"],
            "q=env%3Dtest": ["bob"],
            "state=expired": ["bob"],
            "state=active&limits=none": [],
            "limits=none": ["bob"],
            "model=gpt-5": ["ann", "bob"],
            "model=gpt-4o": ["ann"],
            "use=never": ["bob"],
        }
        for query, shown in queries.items():
            page = inside.get(f"{HOME}?{query}").text
            assert [name for name in ("ann", "bob") if f"keys/{name}" in page] == shown, query
        page = inside.get(f"{HOME}?labels=a+b")
        assert (page.status_code, "is not a label" in page.text) == (400, True)
        page = inside.get(f"{HOME}/ann").text
        assert ("Ann &lt;a@b&gt;" in page, "env=prod" in page) == (True, True)

    def test_what_a_key_did_lately(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        pool.key("ann")
        key, now = services.api_keys.find(POOL, "ann"), services.clock.now()
        for model in ("gpt-5", "gpt-5", "o4"):
            record_request(services.scripts, POOL, now, key=key.id, model=model)
        record_request(services.scripts, POOL, now, key="key_2", model="other")
        refusal = RefusedRequest(
            "req_x", int(now * 1000), "gpt-9", "/v1/responses", 429, "rate_limit", "No", key=key.id
        )
        group = RefusalGroup(key.id, "", "rate_limit", 3, 0, False, [refusal.row().decode()], {})
        record_refusals(services.ledger.refusals, POOL, group)

        page = inside.get(f"{HOME}/ann").text

        assert "<dt>rate limit</dt><dd>3 requests</dd>" in page
        assert re.search(r'key=ann&amp;model=gpt-5">gpt-5</a></dt><dd>2 of 4</dd>', page)
        assert 'href="/admin/p/default/requests/req_x"' in page
        assert "other" not in page

    def test_snippets_use_a_model_that_an_active_account_lists(
        self, inside: Visitor, services: Services, pool: Furnished
    ) -> None:
        pool.account("main", models=("gpt-5-mini", "o4"))
        pool.account("spare", models=("gpt-4",))
        services.accounts.pause(POOL, "spare")
        pool.key("ann", models=("gpt-4", "gpt-5*"))

        assert "openai/gpt-5-mini" in inside.get(f"{HOME}/ann").text

    def test_snippets_name_this_gateway(self, inside: Visitor, pool: Furnished) -> None:
        pool.key("ann", models=("gpt-5-mini",))

        page = inside.get(f"{HOME}/ann").text

        assert "http://gate.test/v1" in page
        assert "gpt-5-mini" in page

    def test_usage_of_every_span(self, inside: Visitor, pool: Furnished) -> None:
        pool.key("ann")

        for span in ("1h", "24h", "7d", "30d", "x"):
            assert inside.get(f"{HOME}/ann?span={span}").status_code == 200


def test_the_page_of_its_holder_is_named(inside: Visitor, services: Services) -> None:
    services.api_keys.create(POOL, "ann")

    assert "http://gate.test/my" in inside.get("/admin/p/default/keys/ann").text
