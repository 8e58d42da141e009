"""The audit log: an entry per change, whatever happens in between."""

from __future__ import annotations

import orjson
import pytest

from app.errors import InvalidRequest, StoreUnavailable
from app.stores import audit, keys
from app.stores.audit import AuditLog
from app.stores.records.audit import Actor, AuditFilter
from app.stores.scripts import Scripts

ANN, BOB = Actor("ann", "cli"), Actor("bob", "page", "192.0.2.1")


@pytest.fixture
def audit_log(redis_client):
    return AuditLog(Scripts(redis_client))


def change(audit_log, actor=ANN, action="key.change", name="k", pool="p"):
    with audit_log.change(actor, action, pool, name) as made:
        made.before, made.after = {"name": "k", "raw": False}, {"name": "k", "raw": True}


class TestChange:
    def test_the_fields_of_an_entry(self, audit_log):
        """Who, by which way, from where, what, and the fields that differ."""
        change(audit_log, BOB)

        [entry] = audit_log.page().entries
        assert entry.pop("id")
        assert entry.pop("at") > 1_700_000_000
        assert entry == {
            "who": "bob",
            "via": "page",
            "address": "192.0.2.1",
            "action": "key.change",
            "pool": "p",
            "object": "k",
            "before": {"raw": False},
            "after": {"raw": True},
            "outcome": "done",
        }

    def test_a_refused_change_leaves_nothing(self, audit_log, redis_client):
        with pytest.raises(InvalidRequest), audit_log.change(ANN, "key.create", "p", "k"):
            raise InvalidRequest("no")

        assert audit_log.page().entries == []
        assert redis_client.exists(keys.audit_open()) == 0

    def test_an_unknown_outcome(self, audit_log, redis_client):
        """As after a crash: the change is shown as unknown, once, after the maximum time of a change."""
        with pytest.raises(StoreUnavailable), audit_log.change(ANN, "key.create", "p", "k"):
            raise StoreUnavailable("gone")
        assert audit_log.page().entries == []

        [(entry_id, text)] = redis_client.hgetall(keys.audit_open()).items()
        opened = orjson.loads(text)
        opened["opened_ms"] -= audit.STALE_MS
        redis_client.hset(keys.audit_open(), entry_id, orjson.dumps(opened))

        for _ in range(2):
            [entry] = audit_log.page().entries
            assert (entry["action"], entry["who"], entry["outcome"]) == ("key.create", "ann", "unknown")
        assert "opened_ms" not in entry

    def test_written_once_when_the_call_is_repeated(self, audit_log, redis_client):
        """The call is repeated after its reply was lost."""
        scripts = Scripts(redis_client)
        redis_client.hset(keys.audit_open(), "e", "{}")
        responses = [scripts.run("close_audit", keys.SYSTEM, "e", "done", '{"a":1}') for _ in range(2)]

        assert responses == [1, 0]
        assert redis_client.xlen(keys.audit()) == 1

    def test_a_note(self, audit_log):
        audit_log.note(ANN, "account.export", "p", "main", way="file")

        [entry] = audit_log.page().entries
        assert (entry["action"], entry["before"], entry["after"], entry["way"]) == (
            "account.export",
            None,
            None,
            "file",
        )


class TestPage:
    def test_newest_first_with_a_cursor(self, audit_log):
        for name in "abcde":
            change(audit_log, name=name)

        first = audit_log.page(max_entries=2)
        second = audit_log.page(first.cursor, max_entries=2)
        third = audit_log.page(second.cursor, max_entries=2)

        assert [[one["object"] for one in page.entries] for page in (first, second, third)] == [
            ["e", "d"],
            ["c", "b"],
            ["a"],
        ]
        assert third.cursor is None

    def test_filters(self, audit_log):
        change(audit_log, ANN, "key.create", "a")
        change(audit_log, BOB, "key.rotate", "b")
        change(audit_log, BOB, "pool.change", "c", pool="q")

        def found(**filters):
            return [one["object"] for one in audit_log.page(matching=AuditFilter(**filters)).entries]

        assert found(who="bob") == ["c", "b"]
        assert found(action="key") == ["b", "a"]
        assert found(action="key.rotate") == ["b"]
        assert found(pool="q") == ["c"]
        assert found(object_part="C") == ["c"]
        assert found(who="eve") == []

    @pytest.mark.parametrize("cursor", ["x", "1", "0-0", "1-1)", "+"])
    def test_an_invalid_cursor(self, audit_log, cursor):
        with pytest.raises(InvalidRequest) as refused:
            audit_log.page(cursor)
        assert refused.value.param == "cursor"

    def test_bounded_work(self, audit_log, monkeypatch):
        """If matches are rare, a call returns none, and the position where to continue."""
        monkeypatch.setattr(audit, "READ_ENTRIES", 2)
        monkeypatch.setattr(audit, "MAX_READ", 4)
        change(audit_log, BOB, name="rare")
        for _ in range(6):
            change(audit_log)

        page, calls = audit_log.page(matching=AuditFilter(who="bob")), 1
        while not page.entries:
            page, calls = audit_log.page(page.cursor, matching=AuditFilter(who="bob")), calls + 1
        assert [one["object"] for one in page.entries] == ["rare"]
        assert calls == 2
