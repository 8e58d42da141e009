"""The stream of what changes, as a browser that knows server-sent events reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from app.admin.pages import live
from app.errors import StoreUnavailable
from app.operations import live_feed
from app.stores import keys
from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor

PATH = f"/admin/p/{POOL}/live"
PARTS = ("state", "windows", "load")  # of a row
MARKUP = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.2)


def events(body: Iterator[bytes]) -> Iterator[tuple[str, Any, str]]:
    """Yield (event, data, id), and ("", None, "") for a comment."""
    for block in body:
        fields = dict(line.split(": ", 1) for line in block.decode().splitlines() if line and ": " in line)
        if "data" in fields:
            yield fields["event"], orjson.loads(fields["data"]), fields.get("id", "")
        elif "retry" not in fields:
            yield "", None, ""


def record_request(services: Services, request_id: str, model: str = "m") -> str:
    return record_row(services, request_id, model=model)


def record_row(services: Services, request_id: str, **more: Any) -> str:
    row = {"id": request_id, "at_ms": 1, "key": "key_x", "account": "", "model": "m", "status": 200, **more}
    client = services.scripts.client
    entry_id: str = client.xadd(keys.ledger(POOL), {"row": orjson.dumps(row)})
    client.set(keys.settled(POOL, request_id), entry_id)
    return entry_id


def test_what_changes(inside: Visitor, services: Services, pool: Furnished) -> None:
    account = pool.account("main")
    response = inside.get(PATH, buffered=False)
    assert (response.mimetype, response.headers["Cache-Control"]) == ("text/event-stream", "no-store")
    stream = events(response.iter_encoded())

    name, drawn, _ = next(stream)
    assert (name, list(drawn)) == ("accounts", [account.id, *(f"{account.id}:{part}" for part in PARTS)])
    next(stream)  # the feed's own first look

    services.accounts.pause(POOL, "main", MARKUP)
    drawn = next(data for name, data, _ in stream if name == "accounts")
    for name in (account.id, f"{account.id}:state"):
        assert "paused" in drawn[name]
        assert MARKUP not in drawn[name]

    entry_id = record_request(services, "r1", MARKUP)
    _, rows, event_id = next(one for one in stream if one[0] == "requests")
    assert event_id == entry_id
    assert f"/admin/p/{POOL}/requests/r1?entry={entry_id}" in rows[0]["html"]
    assert MARKUP not in rows[0]["html"]
    response.close()


def test_it_goes_on_where_the_browser_was(inside: Visitor, services: Services, pool: Furnished) -> None:
    first, _ = record_request(services, "r1"), record_request(services, "r2")

    for address, headers in ((f"{PATH}?after={first}", {}), (PATH, {"Last-Event-ID": first})):
        response = inside.get(address, headers=headers, buffered=False)
        _, rows, _ = next(one for one in events(response.iter_encoded()) if one[0] == "requests")
        assert [row["id"] for row in rows] == ["r2"]
        response.close()


def test_only_what_matches_the_filters(inside: Visitor, services: Services, pool: Furnished) -> None:
    first = record_request(services, "r1")
    for number, model in ((2, "a"), (3, "b"), (4, "a")):
        record_request(services, f"r{number}", model)

    response = inside.get(f"{PATH}?after={first}&model=a", buffered=False)
    _, rows, _ = next(one for one in events(response.iter_encoded()) if one[0] == "requests")
    assert [row["id"] for row in rows] == ["r2", "r4"]
    assert "/requests?model=a&amp;status=200" in rows[0]["html"]
    response.close()
    assert inside.get(f"{PATH}?key=nobody").status_code == 400


def test_a_later_model_answers(inside: Visitor, services: Services, pool: Furnished) -> None:
    """The row of the failure is sent again, and replaces what the page shows."""
    failed = record_row(services, "r1", status=502, models=2)
    answered = record_row(services, "r1-1", model="n", fallback_of="r1")

    response = inside.get(f"{PATH}?after={failed}", buffered=False)
    _, rows, event_id = next(one for one in events(response.iter_encoded()) if one[0] == "requests")

    assert [(row["id"], row["is_new"]) for row in rows] == [("r1", False), ("r1-1", True)]
    assert (
        f'then answered by <a href="/admin/p/{POOL}/requests/r1-1?entry={answered}">n</a>' in rows[0]["html"]
    )
    assert event_id == answered
    response.close()


def test_it_ends_without_watchers(
    inside: Visitor, services: Services, pool: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LIFE_SECONDS", 0.5)
    pool.account("main")

    stream = list(events(inside.get(PATH, buffered=False).iter_encoded()))
    assert stream[-1][0] == ""

    left = inside.get(PATH, buffered=False)
    next(left.iter_encoded())
    left.close()
    assert len(services.feeds.of(POOL)) == 0


def test_what_is_no_place_in_the_ledger(inside: Visitor, pool: Furnished) -> None:
    for after in ("x", "0", "1-1-1", "%00"):
        response = inside.get(f"{PATH}?after={after}", buffered=False)
        assert response.status_code == 200
        response.close()


def test_too_many_watch(
    inside: Visitor, services: Services, pool: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_feed, "MAX_WATCHERS", 0)

    assert inside.get(PATH).status_code == 429


def test_a_store_that_goes_away_ends_it(
    inside: Visitor, services: Services, pool: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The browser comes again by itself; nothing is logged as a failure of ours."""
    pool.account("main")
    stream = events(inside.get(PATH, buffered=False).iter_encoded())
    next(stream)
    record_request(services, "r1")
    monkeypatch.setattr(live._Renderer, "frames", _away)

    assert all(name == "" for name, _, _ in stream)


def _away(*_: object) -> Iterator[bytes]:
    raise StoreUnavailable("away")
