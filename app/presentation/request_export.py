"""Exports of requests: CSV for spreadsheets and JSON Lines, with exact numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import orjson

from app.formatting import is_formula
from app.presentation.requests import RequestView, serialize_entry

COLUMNS = (
    *("ended_at", "id", "status", "error", "key", "team", "owner", "labels", "account", "attempts"),
    *("model", "requested_model", "endpoint", "source", "input_tokens", "cached_tokens", "output_tokens"),
    *("reasoning_tokens", "cost_dollars", "queued_ms", "first_ms", "total_ms", "message"),
    "failures",  # failed attempts: `main: upstream 503 server_is_overloaded; …`
    "answered_by",  # the id of the request at the later model that answered, if this one failed
)
_MICRO = 1_000_000


def csv_head() -> str:
    return _csv_text([COLUMNS])


def to_csv(views: Iterable[RequestView]) -> str:
    """Return a line of CSV for each of *views*."""
    return _csv_text(map(_cells, views))


def to_json_lines(views: Iterable[RequestView]) -> str:
    """Return a line of JSON for each of *views*, in the form of the admin API."""
    rows = (serialize_entry(view.entry, view.names, view.answer) for view in views)
    return "".join(orjson.dumps(row).decode() + "\n" for row in rows)


def _cells(view: RequestView) -> Sequence[object]:
    row = view.entry.row
    labels = ", ".join(f"{name}={value}" for name, value in (row.get("labels") or {}).items())
    cost = row.get("cost")
    given = {
        "ended_at": datetime.fromtimestamp(view.entry.ended_at, UTC).isoformat(timespec="milliseconds"),
        "key": view.key,
        "labels": labels,
        "account": view.account,
        "attempts": view.tries,
        "requested_model": view.requested_model,
        "failures": "; ".join(_failures(view)),
        "answered_by": "" if view.answer is None else view.answer.request_id,
    }
    cells = {name: _cell(given.get(name, row.get(name))) for name in COLUMNS}
    return list((cells | {"cost_dollars": "" if cost is None else _dollars(int(cost))}).values())


def _failures(view: RequestView) -> Iterator[str]:
    """Yield the failure of each failed attempt of a request, with its account."""
    for attempt in view.entry.attempts:
        if attempt.failure:
            yield f"{view.names.label('account', attempt.account)}: {attempt.reason}"


def _cell(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    return f"'{text}" if is_formula(text) else text


def _dollars(micro_dollars: int) -> str:
    """Return an exact amount in decimal notation."""
    sign, amount = "-" if micro_dollars < 0 else "", abs(micro_dollars)
    return f"{sign}{amount // _MICRO}.{amount % _MICRO:06d}"


def _csv_text(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
