from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import ClassVar

from app.presentation.names import Names
from app.presentation.request_export import csv_head, to_csv
from app.presentation.requests import RequestView, serialize_entry
from app.stores.records.ledger import AttemptEntry, LedgerEntry

NAMES = Names({"key_1": "ann"}, {"acct_1": "main"})
ROW = {
    "id": "r",
    "key": "key_1",
    "account": "acct_2",
    "model": "m",
    "status": 200,
    "at_ms": 1500,
    "day_ms": 0,
}


def test_json_has_names_and_no_internal_fields():
    entry = serialize_entry(LedgerEntry("2000-0", ROW), NAMES)

    assert "at_ms" not in entry
    assert (entry["at"], entry["ended_at"]) == (1.5, 2.0)
    assert entry["key"] == {"id": "key_1", "name": "ann"}
    assert entry["account"] == {"id": "acct_2", "name": None}
    former = serialize_entry(LedgerEntry("2000-0", ROW), replace(NAMES, former={"acct_2": "gpu1"}))
    assert former["account"] == {"id": "acct_2", "name": None, "former_name": "gpu1"}


def test_a_removed_account():
    assert RequestView(LedgerEntry("2000-0", ROW), NAMES).account == "acct_2 (removed)"


def test_a_refused_request_has_no_account():
    refused = LedgerEntry("2000-0", ROW | {"account": "", "status": 429, "refused": True})

    assert RequestView(refused, NAMES).account == "refused"


def test_an_attempt_after_which_another_account_answered():
    attempt = AttemptEntry("acct_1", failure="slow")

    view = RequestView(LedgerEntry("2000-0", ROW), NAMES, attempt)
    assert view.failure == "slow, rescued by another account"


class TestFailedAttempts:
    STORED: ClassVar = {"account": "acct_1", "error": "rate_limit_exceeded", "failure": "burst_limited"}
    REPORTED: ClassVar = {"upstream_status": 429, "upstream_code": "slow_down"}

    def test_status_and_code_of_the_upstream(self):
        attempt = AttemptEntry.from_json(self.STORED | self.REPORTED)

        assert (attempt.upstream_status, attempt.upstream_code) == (429, "slow_down")
        assert attempt.reason == "upstream 429 slow_down"

    def test_an_entry_that_was_written_without_them(self):
        attempt = AttemptEntry.from_json(self.STORED)

        assert (attempt.upstream_status, attempt.reason) == (None, "rate_limit_exceeded")

    def test_in_a_spreadsheet(self):
        attempts = [self.STORED | self.REPORTED, self.STORED | {"account": "acct_2"}, {"account": "acct_1"}]

        (line,) = csv.DictReader(
            io.StringIO(
                csv_head() + to_csv([RequestView(LedgerEntry("2000-0", ROW | {"attempts": attempts}), NAMES)])
            )
        )

        assert line["failures"] == ("main: upstream 429 slow_down; acct_2 (removed): rate_limit_exceeded")
