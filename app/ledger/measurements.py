"""
Measurements of a minute, an hour or a day: durations of requests, and usage by endpoint.

They are computed from the ledger's entries, in the order in which requests ended, so a past minute never
changes: a late settlement belongs to the minute in which it arrives. Hours add up their minutes, days their
hours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from enum import IntEnum

import orjson

from app.ledger.histograms import Histogram, add, bucket_of, flatten, unflatten
from app.ledger.json_members import parse_members
from app.ledger.summaries import row_figures
from app.ledger.sums import SUMMARY_FIGURES, Grouping, Sums, complete, count_figures
from app.stores.records.ledger import Row, UsageSource

MAX_IDS = 1000  # ids per grouping with times of their own
OTHER = "(other)"  # the id under which all others are added up
MIN_OUTPUT_MS = 50  # after the first token; a response in one piece has no measurable speed
ENDPOINT_USAGE = "usage:endpoint"  # the part that has usage; the others have times


class Measure(IntEnum):
    """What is measured for an answered request: two durations in ms, and output tokens per second."""

    FIRST = 0
    TOTAL = 1
    SPEED = 2


Times = tuple[Histogram, Histogram, Histogram]  # by Measure
TimesById = dict[str, Times]  # id (or model, or endpoint; '' for all) -> times


def no_times() -> Times:
    """Return empty times."""
    return {}, {}, {}


def add_times(times: Times, other: Times) -> None:
    """Add the requests of *other* to *times*."""
    for histogram, more in zip(times, other, strict=True):
        add(histogram, more)


class Measurements:
    """The measurements of a minute, hour or day; `times[by]` has those of one Grouping."""

    def __init__(self) -> None:
        self.requests = 0
        self.times: dict[str, TimesById] = {by: defaultdict(no_times) for by in Grouping}
        self.by_endpoint: Sums = defaultdict(lambda: [0] * len(SUMMARY_FIGURES))

    def add_row(self, row: Row) -> None:
        """Add one entry of the ledger."""
        self.requests += 1
        endpoint = str(row.get("endpoint", ""))
        count_figures(self.by_endpoint[endpoint], row_figures(row))
        measured = [(measure, bucket_of(value)) for measure, value in measured_values(row)]
        if not measured:
            return
        for by, own_id in _ids(row, endpoint):
            times = self.times[by][own_id]
            for measure, bucket in measured:
                histogram = times[measure]
                histogram[bucket] = histogram.get(bucket, 0) + 1

    def add_texts(self, texts: Mapping[str, str]) -> None:
        """Add stored measurements, in the form that `texts` returns."""
        self.requests += int(texts.get("requests", 0))
        for by in Grouping:
            for own_id, times in parse_times(texts.get(by, "{}")).items():
                add_times(self.times[by][own_id], times)
        for endpoint, amounts in parse_usage(texts.get(ENDPOINT_USAGE, "{}")).items():
            total = self.by_endpoint[endpoint]
            total[:] = map(sum, zip(total, amounts, strict=True))

    def texts(self) -> dict[str, str]:
        """Return the measurements in stored form: JSON by part."""
        parts: dict[str, object] = {
            str(by): {own_id: [*map(flatten, times)] for own_id, times in _bounded(self.times[by]).items()}
            for by in Grouping
        }
        parts[ENDPOINT_USAGE] = self.by_endpoint
        texts = {name: orjson.dumps(part).decode() for name, part in parts.items()}
        return texts | {"requests": str(self.requests)}


def measured_values(row: Row) -> Iterable[tuple[Measure, float]]:
    """Return the measures of an entry; empty if it failed, came from the cache, or has no times."""
    total = row.get("total_ms")
    if not total or row["status"] >= 400 or row["source"] in (UsageSource.CACHE, UsageSource.CORRECTED):
        return ()
    first = row.get("first_ms")
    if not first:
        return ((Measure.TOTAL, total),)
    values = [(Measure.FIRST, float(first)), (Measure.TOTAL, float(total))]
    output, writing_ms = row.get("output_tokens"), total - first
    if output and writing_ms >= MIN_OUTPUT_MS:
        values.append((Measure.SPEED, 1000 * output / writing_ms))
    return values


def parse_times(text: str, ids: Collection[str] | None = None) -> TimesById:
    """Parse the stored times *text*; with *ids* only theirs."""
    return {own_id: _times(histograms) for own_id, histograms in parse_members(text, ids).items()}


def parse_usage(text: str, endpoints: Collection[str] | None = None) -> Sums:
    """Parse the stored usage by endpoint *text*; with *endpoints* only theirs."""
    return complete(parse_members(text, endpoints))


def _times(histograms: list[list[int]]) -> Times:
    first, total, speed = histograms
    return unflatten(first), unflatten(total), unflatten(speed)


def _ids(row: Row, endpoint: str) -> Iterable[tuple[str, str]]:
    yield Grouping.ALL, ""
    yield Grouping.KEY, row["key"]
    yield Grouping.ACCOUNT, row["account"]
    yield Grouping.MODEL, str(row.get("counted_as", row["model"]))
    if row.get("team"):
        yield Grouping.TEAM, row["team"]
    yield Grouping.ENDPOINT, endpoint


def _bounded(by_id: TimesById) -> TimesById:
    """Return the times of the MAX_IDS ids with the most requests, and those of all others added up."""
    if len(by_id) <= MAX_IDS:
        return by_id
    order = sorted(by_id, key=lambda own_id: -sum(by_id[own_id][Measure.TOTAL].values()))
    bounded = {own_id: by_id[own_id] for own_id in order[:MAX_IDS]}
    others = bounded.setdefault(OTHER, no_times())
    for own_id in order[MAX_IDS:]:
        add_times(others, by_id[own_id])
    return bounded
