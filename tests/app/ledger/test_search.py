"""Search the ledger: what fits, newest first, and no more work than is agreed."""

from __future__ import annotations

import time

import pytest

from app.errors import InvalidRequest
from app.ledger import search as searching
from app.ledger.index import LedgerIndex
from app.ledger.query import LedgerQuery
from app.ledger.refusal_log import RefusalLog
from app.ledger.search import LedgerSearch
from app.stores import keys
from app.stores.ledger import LedgerRepository
from app.stores.ledger_index import LedgerIndexRepository
from app.stores.records.refusals import RefusedRequest
from app.stores.refusals import RefusalRepository
from app.stores.scripts import Scripts
from tests.support.ledger_rows import record_request

POOL = "default"


@pytest.fixture
def recorded(redis_client):
    scripts = Scripts(redis_client)

    def do(**more):
        return record_request(scripts, POOL, time.time(), **more)["id"]

    return do


@pytest.fixture
def find(redis_client):
    def do(cursor=None, page_size=50, **query):
        scripts = Scripts(redis_client)
        ledger = LedgerRepository(scripts)
        index = LedgerIndex(ledger, LedgerIndexRepository(scripts))
        search = LedgerSearch(ledger, RefusalRepository(scripts), index)
        page = search.search(POOL, LedgerQuery(**query), cursor, page_size)
        return [entry.request_id for entry in page.entries], page

    return do


def test_newest_first_page_by_page(recorded, find):
    ids = [recorded() for _ in range(5)]

    first, page = find(page_size=2)
    second, page = find(page.cursor, page_size=2)
    third, page = find(page.cursor, page_size=2)

    assert first + second + third == ids[::-1]
    assert page.cursor is None


def test_filters(recorded, find):
    plain = recorded()
    other_key = recorded(key="key_2")
    other_account = recorded(account="acct_2")
    odd = recorded(model='vendor/ä "x"')
    failed = recorded(status=503)
    limited = recorded(status=429)
    of_team = recorded(team="red")

    everything = [of_team, limited, failed, odd, other_account, other_key, plain]
    assert find()[0] == everything
    assert find(key="key_2")[0] == [other_key]
    assert find(account="acct_2")[0] == [other_account]
    assert find(model='vendor/ä "x"')[0] == [odd]
    assert find(model="gpt")[0] == []
    assert find(team="red")[0] == [of_team]
    assert find(status="failed")[0] == [limited, failed]
    assert find(status="5xx")[0] == [failed]
    assert find(status="429")[0] == [limited]
    assert find(status="ok", key="key_1", account="acct_1", model="gpt-5")[0] == [of_team, plain]


def test_owner_and_labels(recorded, find):
    """Those of the key when it made the request; texts are also found where they are escaped."""
    recorded()
    ann = recorded(owner="ann@example.com", labels={"env": "prod", "a/b": "1"})
    odd = recorded(owner='Ann "Ä" \\', labels={"env": "b/a", "prod": "env"})

    assert find(owner="ann@example.com")[0] == [ann]
    assert find(owner='Ann "Ä" \\')[0] == [odd]
    assert find(owner="ann")[0] == []
    assert find(labels={"env": ""})[0] == [odd, ann]
    assert find(labels={"env": "prod"})[0] == [ann]
    assert find(labels={"env": "b/a"})[0] == [odd]
    assert find(labels={"env": "prod", "a/b": "1"}, owner="ann@example.com")[0] == [ann]
    assert find(labels={"env": "prod", "a/b": "2"})[0] == []
    assert find(labels={"tier": ""})[0] == []


def test_time(recorded, find):
    recorded()
    now = time.time()

    assert find(since=now + 60)[0] == []
    assert find(until=now - 60)[0] == []
    assert len(find(since=now - 60, until=now + 60)[0]) == 1


def test_work_is_bounded(recorded, find, monkeypatch):
    """If matches are rare, the page is short and has the position of the next page."""
    monkeypatch.setattr(searching, "PAGE", 2)
    monkeypatch.setattr(searching, "MAX_SCANNED", 4)
    rare = recorded(key="key_rare")
    for _ in range(9):
        recorded()

    ids, page = find(key="key_rare")
    assert (ids, page.scanned) == ([], 4)
    calls = 1
    while not ids:
        ids, page = find(page.cursor, key="key_rare")
        calls += 1
    assert (ids, calls) == ([rare], 3)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"status": "9xx"}, "status"),
        ({"status": "bad"}, "status"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "1"}, "cursor"),
    ],
)
def test_what_cannot_be(find, query, param):
    with pytest.raises(InvalidRequest) as refused:
        find(**query)
    assert refused.value.param == param


class TestRefused:
    @pytest.fixture
    def refuse(self, redis_client):
        redis_client.hset(keys.api_key(POOL, "key_1"), "name", "k")

        def do(number, **more):
            log = RefusalLog(RefusalRepository(Scripts(redis_client)))
            fields = {"status": 429, "code": "rate_limit_exceeded", "message": "No", "key": "key_1"} | more
            log.add(RefusedRequest(f"no_{number}", 1, "gpt-5", "/v1/responses", pool=POOL, **fields))
            log.flush()
            return f"no_{number}"

        return do

    def test_in_one_order_page_by_page(self, recorded, find, refuse):
        """Nothing twice, nothing left out, however rows and refusals are mixed."""
        ids = {refuse(number) if number % 3 else recorded() for number in range(11)}

        for size in (1, 2, 3, 20):
            read, cursor = [], None
            while True:
                page_ids, page = find(cursor, page_size=size)
                read += page_ids
                assert len(page_ids) <= size + 1
                if (cursor := page.cursor) is None:
                    break
            assert (len(read), set(read)) == (11, ids)

    def test_filters(self, recorded, find, refuse):
        recorded(status=429)
        limited, missing = refuse(1), refuse(2, status=404, code="model_not_found")

        assert find(refused=True)[0] == [missing, limited]
        assert find(refused=True, status="404")[0] == [missing]
        assert find(status="ok")[0] == []
        assert find(refused=True, key="key_2")[0] == []
        assert find(account="acct_1", refused=True)[0] == []
        now = time.time()
        assert find(refused=True, since=now + 60)[0] == find(refused=True, until=now - 60)[0] == []
