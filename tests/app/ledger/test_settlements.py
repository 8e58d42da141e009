"""A settlement reaches the store once, whenever the store is there and whichever process is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gevent
import orjson
import pytest
from structlog.testing import capture_logs

from app.errors import StoreRefused, StoreUnavailable
from app.ledger import dead_letters
from app.ledger import settlements as settlements_module
from app.ledger.dead_letters import DeadLetters
from app.ledger.settlements import SettlementWriter
from app.ledger.spool import Spool
from app.stores.settlements import TOO_LATE, SettlementRepository


class Store:
    """Takes settlements while it is up, except for those in `refused`."""

    def __init__(self) -> None:
        self.up = True
        self.refused: set[str] = set()
        self.wrong: set[str] = set()
        self.late: set[str] = set()
        self.taken: list[tuple[str, str]] = []
        self.offered_late = 0

    def run(self, operation: str, pool: str, *args: Any) -> Any:
        gevent.sleep(0)  # as a real one does: others run meanwhile
        if not self.up:
            raise StoreUnavailable("away")
        if operation == "unsettled":
            return [request_id for request_id in args if (pool, request_id) not in self.taken]
        assert operation == "settle"
        request_id = orjson.loads(args[0])["id"]
        if request_id in self.refused:
            raise StoreUnavailable("away")
        if request_id in self.wrong:
            raise StoreRefused("settle: cost")
        if request_id in self.late:
            self.offered_late += 1
            return TOO_LATE
        self.taken.append((pool, request_id))
        return ""


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def settlements(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SettlementWriter:
    monkeypatch.setattr(settlements_module, "RETRY_SECONDS", 0.01)
    return SettlementWriter(SettlementRepository(store), Spool(tmp_path / "spool"), DeadLetters(tmp_path))  # type: ignore[arg-type]


def deliver_all(settlements: SettlementWriter) -> None:
    """Wait until none is pending."""
    with gevent.Timeout(20):
        while len(settlements):
            gevent.sleep(0.01)


def test_undelivered_entries_are_stored_and_delivered_later(
    settlements: SettlementWriter, store: Store
) -> None:
    store.up = False
    for number in range(3):
        settlements.settle("p", {"id": f"req_{number}"})
    assert len(settlements) == 3

    store.up = True
    deliver_all(settlements)

    assert store.taken == [("p", f"req_{number}") for number in range(3)]


def test_two_who_deliver_at_once_lose_nothing(settlements: SettlementWriter, store: Store) -> None:
    store.up = False
    for number in range(20):
        settlements.settle("p", {"id": f"req_{number}"})
    store.up = True

    gevent.joinall([gevent.spawn(settlements.flush) for _ in range(3)], raise_error=True)

    assert {request_id for _, request_id in store.taken} == {f"req_{number}" for number in range(20)}


def test_one_that_is_never_taken_does_not_hold_up_the_others(
    settlements: SettlementWriter, store: Store
) -> None:
    store.refused = {"req_0"}
    store.up = False
    for number in range(3):
        settlements.settle("p", {"id": f"req_{number}"})
    store.up = True

    assert settlements.flush() == 3
    assert settlements.flush() == 1

    assert [request_id for _, request_id in store.taken] == ["req_1", "req_2"]


def test_what_one_process_puts_away_another_takes_up(
    settlements: SettlementWriter, store: Store, tmp_path: Path
) -> None:
    store.up = False
    settlements.settle("p", {"id": "req_1"})
    settlements.spool_pending()
    assert len(settlements) == 0
    (file,) = (tmp_path / "spool").iterdir()

    next_one = SettlementWriter(SettlementRepository(store), Spool(tmp_path / "spool"), DeadLetters(tmp_path))  # type: ignore[arg-type]
    taking_up = gevent.spawn(next_one.recover_spooled)
    gevent.sleep(0.05)
    assert file.exists()  # as long as it is not delivered
    store.up = True
    taking_up.join(5)

    assert store.taken == [("p", "req_1")]
    assert not file.exists()


def test_nothing_is_written_where_all_was_delivered(
    settlements: SettlementWriter, store: Store, tmp_path: Path
) -> None:
    settlements.settle("p", {"id": "req_1"})
    settlements.spool_pending()

    assert list(tmp_path.iterdir()) == []


def test_what_comes_too_late_is_put_aside_once(
    settlements: SettlementWriter, store: Store, tmp_path: Path
) -> None:
    """It changes no figure any more and is only for an operator to examine; it is not sent again."""
    store.late = {"req_1"}
    settlements.settle("p", {"id": "req_1"})
    for _ in range(3):
        settlements.verify_recent()
        settlements.flush()

    assert store.offered_late == 1
    (line,) = (tmp_path / dead_letters.FILE_NAME).read_text().splitlines()
    assert orjson.loads(line)["reason"] == "it came more than a day late"


def test_what_the_store_forgot_is_delivered_again(settlements: SettlementWriter, store: Store) -> None:
    for number in range(3):
        settlements.settle("p", {"id": f"req_{number}"})
    settlements.verify_recent()  # too early to decide: replicas may lag behind
    assert len(settlements) == 0
    store.taken.remove(("p", "req_1"))

    settlements.verify_recent()
    assert len(settlements) == 1
    assert settlements.flush() == 0

    assert sorted(store.taken) == [("p", f"req_{number}") for number in range(3)]


def test_what_was_forgotten_while_the_store_was_away_is_found_when_it_is_back(
    settlements: SettlementWriter, store: Store
) -> None:
    settlements.settle("p", {"id": "req_1"})
    settlements.verify_recent()
    store.up = False
    store.taken.clear()
    settlements.verify_recent()
    store.up = True

    settlements.verify_recent()
    settlements.flush()

    assert store.taken == [("p", "req_1")]


def test_found_settlements_are_not_searched_again(settlements: SettlementWriter, store: Store) -> None:
    settlements.settle("p", {"id": "req_1"})
    settlements.verify_recent()
    settlements.verify_recent()
    store.taken.clear()  # it may expire there

    settlements.verify_recent()

    assert len(settlements) == 0


def letters(folder: Path) -> list[dict[str, Any]]:
    path = DeadLetters(folder).path
    return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


class TestRefused:
    """What the store's own script refuses is set aside, with its reason, and never sent again."""

    def test_at_once(self, settlements: SettlementWriter, store: Store, tmp_path: Path) -> None:
        store.wrong = {"req_1"}
        settlements.settle("p", {"id": "req_1", "row": {"cost": 5}})

        assert len(settlements) == 0
        (letter,) = letters(tmp_path)
        assert (letter["pool"], letter["reason"]) == ("p", "settle: cost")
        assert letter["settlement"] == {"id": "req_1", "row": {"cost": 5}}
        assert DeadLetters(tmp_path).path.stat().st_mode & 0o777 == 0o600

    def test_later(self, settlements: SettlementWriter, store: Store, tmp_path: Path) -> None:
        """The others are delivered, by the same greenlet."""
        store.up, store.wrong = False, {"req_0", "req_2"}
        for number in range(4):
            settlements.settle("p", {"id": f"req_{number}"})
        store.up = True
        deliver_all(settlements)

        assert [request_id for _, request_id in store.taken] == ["req_1", "req_3"]
        assert [letter["settlement"]["id"] for letter in letters(tmp_path)] == ["req_0", "req_2"]

    def test_what_cannot_be_encoded_is_charged_at_its_bound(
        self, settlements: SettlementWriter, store: Store
    ) -> None:
        sent: list[dict[str, Any]] = []
        run = store.run
        store.run = lambda *args: sent.append(orjson.loads(args[2])) or run(*args)  # type: ignore[method-assign,func-returns-value]
        row = {"id": "r", "key": "k", "account": "a", "model": "m", "status": 200, "cost": 2**70, "at_ms": 1}
        settlements.settle("p", {"id": "r", "row": row, "mark": {"wait_ms": 10**400}})

        assert sent[0]["at_bound"] is True
        assert "cost" not in sent[0]["row"]
        assert sent[0]["row"]["error"] == "settlement_unreadable"

    @pytest.mark.parametrize(
        "entry", [b"[]", b"{}", b'{"pool":1,"settlement":{"id":"x"}}', b'{"pool":"p","settlement":[]}']
    )
    def test_an_entry_of_the_spool_that_is_none(self, tmp_path: Path, entry: bytes) -> None:
        (tmp_path / "x.jsonl").write_bytes(entry + b"\n" + b'{"pool":"p","settlement":{"id":"y"}}\n')

        assert Spool(tmp_path).read(tmp_path / "x.jsonl") == [("p", {"id": "y"})]


class TestDeadLetters:
    def test_bounded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A full file accepts nothing more, a long line is cut, and nothing raises."""
        monkeypatch.setattr(dead_letters, "MAX_FILE_BYTES", 300_000)
        box = DeadLetters(tmp_path)
        for _ in range(20):
            box.add("p", {"id": "x" * 200_000, "n": 2**99}, "why")
        assert 0 < box.count() < 20
        assert box.path.stat().st_size <= 300_000

    def test_a_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")

        with capture_logs() as lines:
            DeadLetters(tmp_path / "file").add("p", {"id": "x"}, "why")

        assert [line["event"] for line in lines] == ["settlement_refused", "dead_letter_lost"]
