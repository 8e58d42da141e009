"""What the scripted upstream received, how each request ended, and what it billed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from gevent.event import Event

from tests.support.http_server import Request

Json = dict[str, Any]

BILLED = ("input_tokens", "cached_tokens", "output_tokens")


@dataclass(slots=True)
class Seen:
    """
    One request. Times are Unix seconds.

    `end` is None while it plays, then `finished`, `client_closed`, or what the script did: `closed`, `reset`.
    `ended_at` of a client that left is when its closing was noticed: immediately in a sleep, at a gate and in
    a stall.
    """

    id: int
    account: str
    path: str  # the path after the account, without the query
    query: str
    method: str
    headers: dict[str, str]  # names in lower case
    body: Json | None  # None if it is no JSON object
    body_bytes: int
    connection: int
    play: str | None  # the name of the play, if it has one
    at: float
    status: int | None = None  # None before a head was sent
    bytes_sent: int = 0
    gate: str | None = None  # the gate at which it waits now
    end: str | None = None
    ended_at: float | None = None
    billed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BILLED, 0))

    def belongs_to(self, accounts: str) -> bool:
        return fnmatchcase(self.account, accounts)


class Log:
    def __init__(self) -> None:
        self._entries: list[Seen] = []
        self._count = 0
        self._changed = Event()

    def add(
        self,
        account: str,
        path: str,
        request: Request,
        body: Json | None,
        connection: int,
        play: str | None,
    ) -> Seen:
        self._count += 1
        seen = Seen(
            id=self._count,
            account=account,
            path=path,
            query=request.query,
            method=request.method,
            headers=request.headers,
            body=body,
            body_bytes=len(request.body),
            connection=connection,
            play=play,
            at=time.time(),
        )
        self._entries.append(seen)
        self.changed()
        return seen

    def changed(self) -> None:
        """Wake all waiters of the log."""
        self._changed.set()
        self._changed = Event()

    def matching(
        self, account: str = "*", path: str = "", end: str | None = None, gate: str | None = None
    ) -> list[Seen]:
        """Return entries by account pattern, end of the path, how they ended (or `any`), and gate."""
        return [
            seen
            for seen in self._entries
            if seen.belongs_to(account)
            and seen.path.endswith(path)
            and (end is None or seen.end == end or (end == "any" and seen.end is not None))
            and (gate is None or seen.gate == gate)
        ]

    def wait(self, count: str = "1", timeout: str = "10", **expected: str) -> tuple[bool, list[Seen]]:
        """Return (whether there were *count* in time, the entries that match)."""
        deadline = time.monotonic() + float(timeout)
        while len(found := self.matching(**expected)) < int(count):
            left = deadline - time.monotonic()
            if left <= 0 or not self._changed.wait(left):
                return False, found
        return True, found

    def billed(self, account: str) -> dict[str, dict[str, int]]:
        """Return the sums by account: `requests` that were billed at all, and tokens."""
        sums: dict[str, dict[str, int]] = {}
        for seen in self._entries:
            if seen.belongs_to(account) and any(seen.billed.values()):
                total = sums.setdefault(seen.account, dict.fromkeys(("requests", *BILLED), 0))
                total["requests"] += 1
                for name in BILLED:
                    total[name] += seen.billed[name]
        return sums

    def take(self, account: str) -> list[Seen]:
        """Return the requests that ended, and remove them."""
        taken = [seen for seen in self._entries if seen.belongs_to(account) and seen.end is not None]
        ids = {seen.id for seen in taken}
        self._entries = [seen for seen in self._entries if seen.id not in ids]
        return taken

    def forget(self, account: str) -> None:
        self._entries = [seen for seen in self._entries if not seen.belongs_to(account)]
