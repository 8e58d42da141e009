"""
Check the lines of a backup, so that a restore writes only what Poolgate itself would store.

The file is authenticated, but anyone who knows its passphrase can create such a file. Here, each line is
checked for its position and its form; `app.backup.stored_values` checks its content. An error names the line,
and the pool or key that it belongs to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from marshmallow import ValidationError

from app.backup.encrypted_file import UnreadableFile
from app.backup.pool_contents import PoolContents
from app.backup.stored_values import check_record
from app.backup.value_checks import LARGEST, Unfit, check_integer, check_text, integer_in, is_position
from app.errors import InvalidRequest
from app.stores import dump, keys
from schemas.validation_errors import first_error

COUNTS = ("accounts", "keys", "rows", "open")
MAX_WARNINGS = 20  # warnings that are shown
MAX_SHOWN = 80  # characters of a name in an error
# raised by checks of malformed content, since they read it like the code that uses it
MALFORMED = (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError)


class CheckedLines:
    """Iterates over the parsed lines of a backup. Raises UnreadableFile."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self._number = 0
        self._expected: list[str] = []  # the pools in the first line, in order
        self._counts: Counter[str] = Counter()
        self._pool: PoolContents | None = None  # the pool that is being read
        self._is_ended = False
        self.warnings: list[str] = []  # about values that only earlier versions accepted

    def __iter__(self) -> Iterator[list[Any]]:
        for text in self._lines:
            self._number += 1
            line = self._parse(text)
            subject = _subject(line, self._pool)
            try:
                self._check(line)
            except (Unfit, InvalidRequest) as error:
                raise self._unreadable(subject, error.message) from None
            except ValidationError as error:
                raise self._unreadable(subject, first_error(error)[1]) from None
            except MALFORMED:
                raise self._unreadable(subject, "is not as Poolgate writes it") from None
            self._collect_warnings(subject)
            yield line
        if not self._is_ended:
            raise UnreadableFile("The file is incomplete")

    def _collect_warnings(self, subject: str) -> None:
        if self._pool is None or not self._pool.warnings:
            return
        for problem in self._pool.warnings:
            if len(self.warnings) < MAX_WARNINGS:
                self.warnings.append(f"line {self._number}, {subject}: {printable(problem)}")
        self._pool.warnings.clear()

    def _parse(self, text: bytes) -> list[Any]:
        try:
            line = orjson.loads(text)
        except orjson.JSONDecodeError:
            line = None
        is_line = isinstance(line, list) and line and isinstance(line[0], str)
        if self._number == 1 and not (is_line and line[0] == "backup"):
            raise UnreadableFile("The file is not a backup that poolgate made")
        if not is_line:
            raise self._unreadable("", "is not as Poolgate writes it")
        return line  # type: ignore[no-any-return]  # just checked

    def _unreadable(self, subject: str, problem: str) -> UnreadableFile:
        place = f"line {self._number}" + (f", {subject}" if subject else "")
        return UnreadableFile(f"The backup cannot be restored: {place}: {problem}")

    def _check(self, line: list[Any]) -> None:
        kind = line[0]
        if self._is_ended:
            raise Unfit("nothing may follow the end")
        if (kind == "backup") != (self._number == 1):
            raise Unfit("is not at its place")
        if kind == "backup":
            self._check_head(*line[1:])
        elif kind == "pool":
            self._begin_pool(*line[1:])
        elif kind == "end" and line[1:] == []:
            self._check_end()
        elif kind in ("key", "rows", "end of pool"):
            if self._pool is None:
                raise Unfit("is outside of a pool")
            self._check_content(kind, line[1:], self._pool)
        else:
            raise Unfit("is of no known type; was the file made by a newer Poolgate?")

    def _check_head(self, head: dict[str, Any]) -> None:
        check_text(head["id"], "id")
        check_integer(head["at"], "at", 0, LARGEST)
        names = head["pools"]
        if not isinstance(names, list) or len(set(names)) != len(names):
            raise Unfit("pools must be different names")
        for name in names:
            if not isinstance(name, str) or (name != keys.SYSTEM and keys.POOL_NAME.fullmatch(name) is None):
                raise Unfit(f"'{shown(name)}' cannot name a pool: 1 to 32 of a-z, 0-9, '-' and '_'")
        self._expected = list(names)

    def _begin_pool(self, head: dict[str, Any]) -> None:
        if self._pool is not None:
            raise Unfit("the pool before it has no end")
        if not self._expected or head["name"] != self._expected[0]:
            raise Unfit("the pools are not those that the first line names")
        if head["last_id"] != "" and not is_position(head["last_id"]):
            raise Unfit("last_id must be the id of an entry")
        for name in ("added", "deleted"):
            check_text(head[name], name, min_chars=0)
        if head["added"]:
            check_integer(integer_in(head["added"]), "added", 0, LARGEST)
        if head["added"] and not is_position(head["deleted"]):
            raise Unfit("deleted must be the id of an entry")
        self._expected.pop(0)
        self._pool = PoolContents(head["name"], head["last_id"], head["deleted"] if head["added"] else "")
        self._counts.clear()

    def _check_content(self, kind: str, values: list[Any], pool: PoolContents) -> None:
        if kind == "key":
            name, stored_as, value, clear, expires_ms = values
            check_record(pool, dump.Record(name, stored_as, value, expires_ms), clear)
            self._counts["accounts"] += name.startswith("a:")
            self._counts["keys"] += name.startswith("k:")
            self._counts["open"] += len(value) if name == "leases" else 0
        elif kind == "rows":
            (entries,) = values
            pool.check_entries(entries)
            self._counts["rows"] += len(entries)
        else:
            (counts,) = values
            pool.check_complete()
            for name in COUNTS:
                if type(counts[name]) is not int or counts[name] != self._counts[name]:
                    raise Unfit(f"{name} must be {self._counts[name]}, as many as there are")
            self._pool = None

    def _check_end(self) -> None:
        if self._pool is not None or self._expected:
            raise UnreadableFile("The file is incomplete")
        self._is_ended = True


def _subject(line: list[Any], pool: PoolContents | None) -> str:
    of_pool = f" of pool '{pool.name}'" if pool is not None and pool.name != keys.SYSTEM else ""
    if line[0] == "key" and len(line) > 1 and isinstance(line[1], str):
        return f"'{shown(line[1])}'{of_pool}"
    return f"{shown(line[0])}{of_pool}"


def shown(value: object) -> str:
    """Return *value* for an error message: short, and without control characters."""
    text = value if isinstance(value, str) else repr(value)
    short = text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
    return printable(short)


def printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
