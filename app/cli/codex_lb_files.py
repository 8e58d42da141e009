"""
Read the data folder of codex-lb: `store.db`, an SQLite database, and `encryption.key`, a Fernet key.

Neither is trusted. The database is opened read-only, and only named columns of known tables are read, within
bounds of rows, bytes and time: its log of requests may have gigabytes.
"""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from time import monotonic
from urllib.parse import quote

from cryptography.fernet import Fernet

from app.cli.files import read_file
from app.cli.output import printable
from app.errors import InvalidRequest
from app.operations.setup.codex_lb_tables import TABLES, Row, Table, Tables

DATABASE, KEY = "store.db", "encryption.key"
MAX_KEY_BYTES = 1024
MAX_ROWS = 10_000  # per table
MAX_VALUE_BYTES = 1024 * 1024  # per row, as SQLite counts them
MAX_BYTES = 64 * 1024 * 1024  # of all rows together
MAX_SECONDS = 20.0
BUSY_SECONDS = 2.0  # to wait while another program writes
_STEPS = 10_000  # instructions of SQLite's virtual machine between two checks of the time


def is_in_use(folder: Path) -> bool:
    """Return whether a program has the database open, or ended without closing it."""
    return any((folder / f"{DATABASE}{ending}").exists() for ending in ("-wal", "-journal"))


def read_cipher(folder: Path) -> Fernet:
    """Return the cipher of the secrets in the database. Raises InvalidRequest, OSError."""
    path = folder / KEY
    try:
        return Fernet(read_file(str(path), MAX_KEY_BYTES).strip())
    except ValueError:
        raise InvalidRequest(f"{path}: not a Fernet key", param="folder") from None


def read_tables(folder: Path) -> Tables:
    """Return the rows of each table. Raises InvalidRequest, OSError."""
    path = folder / DATABASE
    if not stat.S_ISREG(path.stat().st_mode):
        raise InvalidRequest(f"{path}: not a file", param="folder")
    try:
        with closing(_connect(path, is_immutable=not is_in_use(folder))) as connection:
            _set_bounds(connection)
            connection.execute("BEGIN")  # all tables in one transaction
            reader = _Reader(connection)
            return {name: reader.rows(name, table) for name, table in TABLES.items()}
    except InvalidRequest as error:
        raise InvalidRequest(f"{path}: {error.message}", param="folder") from None
    except sqlite3.Error as error:  # the message may quote the database
        raise InvalidRequest(f"{path}: cannot be read: {printable(error)[:200]}", param="folder") from None


def _connect(path: Path, *, is_immutable: bool) -> sqlite3.Connection:
    """
    Return a connection that does not change the database.

    A database that no program has open is read without the file (`-shm`) that SQLite creates for other
    readers.
    """
    uri = f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if is_immutable else ''}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _set_bounds(connection: sqlite3.Connection) -> None:
    """Bound the size of values and the time, and prevent the database from running functions."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.text_factory = lambda text: text.decode(errors="replace")
    ends_at = monotonic() + MAX_SECONDS
    connection.set_progress_handler(lambda: monotonic() > ends_at, _STEPS)
    connection.execute("PRAGMA trusted_schema = OFF")


class _Reader:
    """Reads the tables of one *connection*."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._bytes_left = MAX_BYTES

    def rows(self, name: str, table: Table) -> list[Row]:
        """
        Return the rows of the table *name*, with None for optional columns that the table does not have.
        """
        present = self._columns(name)
        if not present and table.required:
            raise InvalidRequest(f"there is no table {name}, as codex-lb makes it")
        missing = [column for column in table.required if column not in present]
        if missing:
            raise InvalidRequest(f"table {name} has no column {missing[0]}: start a newer codex-lb once")
        known = table.required + table.optional
        columns = [column for column in known if column in present]
        rows: list[Row] = []
        if not columns:
            return rows
        query = f"SELECT {', '.join(columns)} FROM {name} ORDER BY 1 LIMIT {MAX_ROWS + 1}"
        for values in self._connection.execute(query):
            self._bytes_left -= sum(len(value) for value in values if isinstance(value, str | bytes))
            if len(rows) == MAX_ROWS or self._bytes_left < 0:
                bound = f"{MAX_ROWS} rows" if len(rows) == MAX_ROWS else f"{MAX_BYTES} bytes"
                raise InvalidRequest(f"table {name}: more than {bound}")
            rows.append({**dict.fromkeys(known), **dict(zip(columns, values, strict=True))})
        return rows

    def _columns(self, table: str) -> set[str]:
        """Return the columns of *table*; none if it is missing, a view or a virtual table."""
        query = "SELECT count(*) FROM sqlite_master WHERE name = ? AND type = 'table' AND rootpage > 0"
        if not self._connection.execute(query, (table,)).fetchone()[0]:
            return set()
        found = self._connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
        return {name for (name,) in found}
