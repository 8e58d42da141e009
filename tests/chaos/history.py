"""
What happened in a run, as JSON lines: {"at": Unix seconds, "kind": …, …}.

    setup    seed, pool, text (of every whole response), limits by key id, accounts (ids)
    sent     number, key, model, surface, stream
    left     number: its client went away
    heard    number, id, status, finished, error, text, whole, faults
    upstream number, account, began, end, billed: {input_tokens, output_tokens, …}
    trouble  what, began, and details
    memory   of: one worker that is spared, of which run: MiB
    idle, after   what the workers held before the load, and beyond that after it
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

Json = dict[str, Any]


class Recorder:
    """Writes a history, from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("w")
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def note(self, kind: str, at: float | None = None, **fields: Any) -> None:
        line = json.dumps({"at": time.time() if at is None else at, "kind": kind, **fields})
        with self._lock:
            self._file.write(line + "\n")

    def flush(self) -> None:
        self._file.flush()


class History:
    """What a checker reads from the file."""

    def __init__(self, entries: list[Json]) -> None:
        self.entries = entries
        (self.setup,) = self.of("setup")

    @classmethod
    def read(cls, path: Path) -> Self:
        with path.open() as lines:
            return cls([json.loads(line) for line in lines])

    def of(self, kind: str) -> Iterator[Json]:
        return (entry for entry in self.entries if entry["kind"] == kind)

    def moments(self, *whats: str) -> list[tuple[float, float]]:
        """From when to when each trouble of these kinds lasted."""
        return [(each["began"], each["at"]) for each in self.of("trouble") if each["what"] in whats]
