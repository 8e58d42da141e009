"""Checks of the open and refused requests and the roll-ups in a backup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.backup.pool_contents import PoolContents
from app.backup.value_checks import (
    LARGEST,
    LARGEST_TOTAL,
    LATEST_MS,
    Unfit,
    check_attribution,
    check_figure,
    check_finite,
    check_id,
    check_integer,
    check_json,
    check_present,
    check_text,
    integer_in,
    integral,
)
from app.ledger.histograms import LARGEST as LARGEST_VALUE
from app.ledger.histograms import bucket_of
from app.ledger.measurements import ENDPOINT_USAGE, Measure
from app.ledger.sums import SUMMARY_FIGURES, complete
from app.stores.records.ledger import FIGURES, UNREPORTED
from app.stores.records.limits import LimitUnit, Period


def check_figures(_pool: PoolContents, _suffix: str, fields: Mapping[str, str]) -> None:
    for name, text in fields.items():
        if (amount := integer_in(text)) is None or not -LARGEST_TOTAL <= amount <= LARGEST_TOTAL:
            raise Unfit(f"'{name[:80]}' must be a whole number up to 2^63")


def check_rollup(pool: PoolContents, suffix: str, fields: Mapping[str, str]) -> None:
    span, _, start = suffix.partition(":")
    if span not in ("h", "d") or integer_in(start) is None:
        raise Unfit("must be named by an hour or a day")
    if any(name.count("|") < 3 for name in fields):
        raise Unfit("must have figures of keys, accounts and models")
    check_figures(pool, suffix, fields)


def check_measured(_pool: PoolContents, suffix: str, parts: Mapping[str, str]) -> None:
    """Check the measurements of a day: `parts` in the stored form of app/ledger/measurements.py."""
    if integer_in(suffix) is None:
        raise Unfit("must be named by a day")
    for name, text in parts.items():
        for numbers in check_json(text, name, dict).values() if name != "requests" else ():
            _check_numbers(numbers, name)
    check_integer(integer_in(parts.get("requests", "0")), "requests", 0, LARGEST)


def _check_numbers(numbers: Any, name: str) -> None:
    """Check that *numbers* are usage, or histograms, each of which is bucket, number, bucket, number, …"""
    if name == ENDPOINT_USAGE:
        if isinstance(numbers, list) and numbers:
            complete({"": numbers})  # of a backup of an older version
        _check_amounts(numbers, name, len(SUMMARY_FIGURES), -LARGEST_TOTAL, LARGEST_TOTAL)
        return
    if not isinstance(numbers, list) or len(numbers) != len(Measure):
        raise Unfit(f"'{name[:80]}' must have {len(Measure)} histograms of each id")
    for histogram in numbers:
        if not isinstance(histogram, list):
            raise Unfit(f"'{name[:80]}' must have lists of numbers")
        buckets, counts = histogram[::2], histogram[1::2]
        _check_amounts(buckets, name, len(counts), 0, bucket_of(LARGEST_VALUE))
        _check_amounts(counts, name, len(buckets), 0, LARGEST)


def _check_amounts(amounts: Any, name: str, length: int, min_amount: int, max_amount: int) -> None:
    if not isinstance(amounts, list) or len(amounts) != length:
        raise Unfit(f"'{name[:80]}' must have lists of numbers")
    for amount in amounts:
        check_integer(integral(amount), name, min_amount, max_amount)


def check_leases(pool: PoolContents, _suffix: str, leases: Mapping[str, str]) -> None:
    pool.leases = set(leases)


def check_request(_pool: PoolContents, _suffix: str, fields: Mapping[str, str]) -> None:
    for name in ("key", "account", "model", "endpoint"):
        check_text(fields[name], name, min_chars=0)
    for name in ("team", "requested"):
        check_text(fields.get(name, ""), name, min_chars=0)
    for name in ("started_ms", "day_ms"):
        check_integer(integer_in(fields[name]), name, 0, LATEST_MS)
    check_present(fields, "bounds")
    check_finite(fields, ("attempt", "expired"))
    for hold in check_json(fields["holds"], "holds", list):
        limit_id, amount, unit, period, start = hold[:5]
        check_id(limit_id, "the id of a limit")
        LimitUnit(unit), Period(period)
        check_integer(integral(amount), "a hold", 0, LARGEST)
        check_integer(integral(start), "a hold", 0, LATEST_MS)
    bounds = check_json(fields["bounds"], "bounds", dict) if fields["bounds"] else {}
    for charge in (bounds, *check_json(fields.get("charges") or "[]", "charges", list)):
        for name in (*FIGURES, *UNREPORTED, "ceiling_cost"):
            check_figure(charge, name)
        if charge is not bounds:
            check_text(charge["account"], "charges", min_chars=0)
    check_json(f"[{fields['why']}]", "why", list)


def check_refusals(_pool: PoolContents, _suffix: str, entries: Any) -> None:
    for _, fields in entries:
        check_text(fields["key"], "key")
        row = check_json(fields["row"], "row", dict)
        for name in ("id", "model", "account"):
            check_text(row[name], name, min_chars=0)
        check_attribution(row)
        for name in ("at_ms", "status"):
            check_integer(integral(row[name]), name, 0, 10**14)
        check_json(fields["out"], "out", list)


def check_refused(pool: PoolContents, suffix: str, fields: Mapping[str, str]) -> None:
    if integer_in(suffix) is None:
        raise Unfit("must be named by an hour")
    check_figures(pool, suffix, fields)
