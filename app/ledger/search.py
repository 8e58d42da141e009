"""
Search the ledger and the refusal log together, newest first, with bounded work per call: what is rare
takes more than one.

Time here is when a request ended, which is the order of both.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from app.errors import InvalidRequest
from app.ledger.refusals import RefusalRepository
from app.stores import keys
from app.stores.client import store_errors

AT_ONCE = 500
MAX_READ = 5000  # rows that one call looks through: some 50 ms
_STATUS = re.compile(r"ok|failed|[1-5]xx|[1-5]\d\d")
_PLAIN = re.compile(r"[\w.-]+", re.ASCII)
_CURSOR = re.compile(r"[1-9]\d{0,14}-\d{1,15}", re.ASCII)  # Redis knows no entry 0


@dataclass(frozen=True, slots=True)
class LedgerQuery:
    """
    What rows are looked for; '' and None: any. *key* and *account* are ids.

    *status* is `ok` (below 400), `failed`, a class such as `5xx`, or a number; *since* and *until*
    are Unix seconds.
    """

    key: str = ""
    account: str = ""
    model: str = ""
    status: str = ""
    since: float | None = None
    until: float | None = None
    refused: bool = False  # only requests that were refused before an account was tried


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """`rows` are (entry id, row), newest first; `cursor` is where to go on, None at the end."""

    rows: list[tuple[str, dict[str, Any]]]
    cursor: str | None
    looked_at: int


def search(
    client: Any, pool: str, wanted: LedgerQuery, cursor: str | None = None, most: int = 50
) -> LedgerPage:
    """
    Return what is *wanted* of the newest rows before *cursor*. Raises InvalidRequest.

    Rows of refused requests have `refused` and `message`, and no usage.
    """
    booked = LedgerPage([], None, 0) if wanted.refused else _search_ledger(client, pool, wanted, cursor, most)
    refused = _search_refusals(client, pool, wanted, cursor)
    if booked.cursor is not None:  # older ones belong to a later page
        refused = [one for one in refused if _place(one[0]) >= _place(booked.cursor)]
    rows = sorted(booked.rows + refused, key=lambda one: _place(one[0]), reverse=True)
    if len(rows) <= most:
        return LedgerPage(rows, booked.cursor, booked.looked_at + len(refused))
    last = rows[most - 1][0]
    end = next((n for n, (entry_id, _) in enumerate(rows) if _place(entry_id) < _place(last)), len(rows))
    more = end < len(rows) or booked.cursor is not None
    return LedgerPage(rows[:end], last if more else None, booked.looked_at + len(refused))


def _search_ledger(client: Any, pool: str, wanted: LedgerQuery, cursor: str | None, most: int) -> LedgerPage:
    newest, oldest = _bounds(wanted, cursor)
    fits = _test(wanted)
    rows: list[tuple[str, dict[str, Any]]] = []
    looked_at = 0
    while looked_at < MAX_READ:
        with store_errors():
            entries = client.xrevrange(keys.ledger(pool), newest, oldest, count=AT_ONCE)
        for entry_id, fields in entries:
            looked_at += 1
            newest = f"({entry_id}"
            if (row := fits(fields["row"])) is not None:
                rows.append((entry_id, row))
                if len(rows) == most:
                    return LedgerPage(rows, entry_id, looked_at)
        if len(entries) < AT_ONCE:
            return LedgerPage(rows, None, looked_at)
    return LedgerPage(rows, newest.removeprefix("("), looked_at)


def _search_refusals(
    client: Any, pool: str, wanted: LedgerQuery, cursor: str | None
) -> list[tuple[str, dict[str, Any]]]:
    checked_entry(cursor or "", "cursor")
    fits = _row_test(wanted)
    if wanted.account or wanted.status == "ok":
        return []
    before = _place(cursor) if cursor else None
    return [
        (entry.id, entry.row)
        for entry in RefusalRepository(client).entries(pool)
        if fits(entry.row)
        and (before is None or _place(entry.id) < before)
        and (wanted.since is None or _place(entry.id)[0] >= int(wanted.since * 1000))
        and (wanted.until is None or _place(entry.id)[0] <= int(wanted.until * 1000))
    ]


def _place(entry_id: str) -> tuple[int, int]:
    """Return (Unix ms, number) of an entry, by which ledger and refusal log are in one order."""
    ms, _, number = entry_id.partition("-")
    return int(ms), int(number)


def checked_entry(text: str, param: str = "entry") -> str:
    """Return *text* when it is '' or an entry's id, as answers give them. Raises InvalidRequest."""
    if text and _CURSOR.fullmatch(text) is None:
        raise InvalidRequest(f"This is no {param} that an earlier answer gave", param=param)
    return text


def _bounds(wanted: LedgerQuery, cursor: str | None) -> tuple[str, str]:
    cursor = checked_entry(cursor or "", "cursor")
    until = "+" if wanted.until is None else f"{int(wanted.until * 1000)}"
    oldest = "-" if wanted.since is None else f"{int(wanted.since * 1000)}"
    return f"({cursor}" if cursor else until, oldest


def _test(wanted: LedgerQuery) -> Callable[[str], dict[str, Any] | None]:
    """Return what reads a row where it fits, else None: a look is cheaper than a parse."""
    looks = [
        f'"{value}"' for value in _fields(wanted).values() if _PLAIN.fullmatch(value)
    ]  # others may be escaped
    fits_row = _row_test(wanted)

    def fits(text: str) -> dict[str, Any] | None:
        if any(look not in text for look in looks):
            return None
        row: dict[str, Any] = orjson.loads(text)
        return row if fits_row(row) else None

    return fits


def _row_test(wanted: LedgerQuery) -> Callable[[dict[str, Any]], bool]:
    fields = _fields(wanted)
    if wanted.status and _STATUS.fullmatch(wanted.status) is None:
        raise InvalidRequest("A status is ok, failed, a class like 5xx, or a number", param="status")
    return lambda row: (
        all(row.get(name) == value for name, value in fields.items())
        and _is(int(row["status"]), wanted.status)
    )


def _fields(wanted: LedgerQuery) -> dict[str, str]:
    return {name: getattr(wanted, name) for name in ("key", "account", "model") if getattr(wanted, name)}


def _is(status: int, wanted: str) -> bool:
    match wanted:
        case "":
            return True
        case "ok":
            return status < 400
        case "failed":
            return status >= 400
    return str(status)[0] == wanted[0] if wanted.endswith("xx") else str(status) == wanted
