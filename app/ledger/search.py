"""
Search the ledger and the refusal log together, newest first.

One call scans a bounded number of entries, so a rare match takes more than one call. Times are when
requests ended, which is the order of both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from app.errors import InvalidRequest
from app.stores.ledger import LedgerRepository
from app.stores.records.ledger import LedgerEntry, StoredEntry, is_entry_id, position_of
from app.stores.refusals import RefusalRepository

PAGE = 500  # entries read at a time
MAX_SCANNED = 5000  # entries that one call scans: some 50 ms
_STATUS = re.compile(r"ok|failed|[1-5]xx|[1-5]\d\d")
_PLAIN = re.compile(r"[ !#-.0-\[\]-~]+")  # what no JSON writer escapes: ASCII but for " / and \


@dataclass(frozen=True, slots=True)
class LedgerQuery:
    """
    Which entries to search for; '' and None match any. *key* and *account* are ids.

    Team, owner and labels are those of the key at the time of the request; a label's value '' is any.

    *status* is `ok` (below 400), `failed`, a class such as `5xx`, or a number; *since* and *until*
    are Unix seconds.
    """

    key: str = ""
    account: str = ""
    model: str = ""
    team: str = ""
    owner: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    status: str = ""
    since: float | None = None
    until: float | None = None
    refused: bool = False  # only requests that were refused before an account was tried

    def check(self) -> None:
        """Raise InvalidRequest for an unknown status."""
        if self.status and _STATUS.fullmatch(self.status) is None:
            raise InvalidRequest("A status is ok, failed, a class like 5xx, or a number", param="status")

    @property
    def exact(self) -> dict[str, str]:
        """Return the fields of a row that must equal a text."""
        return {name: value for name in _EXACT if (value := getattr(self, name))}

    def matches(self, entry: LedgerEntry) -> bool:
        """Return whether *entry*'s row matches; times are not compared."""
        return (
            all(entry.row.get(name) == value for name, value in self.exact.items())
            and _has_status(entry.status, self.status)
            and (not self.labels or self._has_labels(entry))
        )

    def _has_labels(self, entry: LedgerEntry) -> bool:
        labels = entry.row.get("labels") or {}
        return all(name in labels and value in ("", labels[name]) for name, value in self.labels.items())

    def is_in_time(self, entry: LedgerEntry) -> bool:
        ended_ms = entry.position[0]
        return (self.since is None or ended_ms >= int(self.since * 1000)) and (
            self.until is None or ended_ms <= int(self.until * 1000)
        )


_EXACT = ("key", "account", "model", "team", "owner")


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """Matches, newest first; `cursor` is where the next page begins, None at the end."""

    entries: list[LedgerEntry]
    cursor: str | None
    scanned: int


class LedgerSearch:
    """Searches the ledger and the refusal log of a pool."""

    def __init__(self, ledger: LedgerRepository, refusals: RefusalRepository) -> None:
        self._ledger = ledger
        self._refusals = refusals

    def search(
        self, pool: str, query: LedgerQuery, cursor: str | None = None, page_size: int = 50
    ) -> LedgerPage:
        """
        Return the newest entries before *cursor* that match *query*.

        Rows of refused requests have `refused` and `message`, and no usage. Raises InvalidRequest.
        """
        query.check()
        cursor = checked_entry(cursor or "", "cursor")
        settled = LedgerPage([], None, 0)
        if not query.refused:
            settled = self._search_ledger(pool, query, cursor, page_size)
        refused = self._search_refusals(pool, query, cursor)
        if settled.cursor is not None:  # older ones belong to a later page
            end = position_of(settled.cursor)
            refused = [entry for entry in refused if entry.position >= end]
        entries = sorted(settled.entries + refused, key=lambda entry: entry.position, reverse=True)
        scanned = settled.scanned + len(refused)
        if len(entries) <= page_size:
            return LedgerPage(entries, settled.cursor, scanned)
        last = entries[page_size - 1]
        page = [entry for entry in entries if entry.position >= last.position]
        has_more = len(page) < len(entries) or settled.cursor is not None
        return LedgerPage(page, last.id if has_more else None, scanned)

    def _search_ledger(self, pool: str, query: LedgerQuery, cursor: str, page_size: int) -> LedgerPage:
        newest, oldest = _bounds(query, cursor)
        match = _matcher(query)
        matches: list[LedgerEntry] = []
        scanned = 0
        while scanned < MAX_SCANNED:
            stored = self._ledger.read_backwards(pool, PAGE, newest=newest, oldest=oldest)
            for candidate in stored:
                scanned += 1
                newest = f"({candidate.id}"
                if (entry := match(candidate)) is not None:
                    matches.append(entry)
                    if len(matches) == page_size:
                        return LedgerPage(matches, entry.id, scanned)
            if len(stored) < PAGE:
                return LedgerPage(matches, None, scanned)
        return LedgerPage(matches, newest.removeprefix("("), scanned)

    def _search_refusals(self, pool: str, query: LedgerQuery, cursor: str) -> list[LedgerEntry]:
        if query.account or query.status == "ok":
            return []
        before = position_of(cursor) if cursor else None
        return [
            refusal.entry
            for refusal in self._refusals.entries(pool)
            if query.matches(refusal.entry)
            and query.is_in_time(refusal.entry)
            and (before is None or refusal.entry.position < before)
        ]


def checked_entry(text: str, param: str = "entry") -> str:
    """Return *text* when it is '' or the id of an entry. Raises InvalidRequest."""
    if text and not is_entry_id(text):
        raise InvalidRequest(f"This is no {param} from an earlier response", param=param)
    return text


def _bounds(query: LedgerQuery, cursor: str) -> tuple[str, str]:
    until = "+" if query.until is None else f"{int(query.until * 1000)}"
    oldest = "-" if query.since is None else f"{int(query.since * 1000)}"
    return f"({cursor}" if cursor else until, oldest


def _matcher(query: LedgerQuery) -> Callable[[StoredEntry], LedgerEntry | None]:
    """Return a function that parses an entry if it matches; a look at the text is cheaper than a parse."""
    values = (*query.exact.values(), *query.labels, *filter(None, query.labels.values()))
    texts = [f'"{value}"' for value in values if _PLAIN.fullmatch(value)]  # others may be escaped

    def match(stored: StoredEntry) -> LedgerEntry | None:
        if any(text not in stored.row for text in texts):
            return None
        entry = LedgerEntry.parse(stored)
        return entry if query.matches(entry) else None

    return match


def _has_status(status: int, pattern: str) -> bool:
    match pattern:
        case "":
            return True
        case "ok":
            return status < 400
        case "failed":
            return status >= 400
    return str(status)[0] == pattern[0] if pattern.endswith("xx") else str(status) == pattern
