"""
Histograms with buckets of equal ratio, from which percentiles are estimated. Pure.

Bucket *n* has the values from 2^(n/8) up to 2^((n+1)/8); the first bucket also has all values below 1. A
percentile is the geometric middle of its bucket, so for values from 1 to LARGEST its error is at most
RELATIVE_ERROR. Histograms of parts add up to the histogram of all, so merging does not increase the error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

Histogram = dict[int, int]  # bucket -> number of values

BUCKETS_PER_DOUBLING = 8
RELATIVE_ERROR = 2 ** (0.5 / BUCKETS_PER_DOUBLING) - 1  # 4.4 %
LARGEST = 2.0**31  # larger values are counted as this one


def bucket_of(value: float) -> int:
    """Return the bucket of *value*."""
    return int(math.log2(min(value, LARGEST)) * BUCKETS_PER_DOUBLING) if value > 1 else 0


def add(histogram: Histogram, other: Histogram) -> None:
    """Add the values of *other* to *histogram*."""
    for bucket, number in other.items():
        histogram[bucket] = histogram.get(bucket, 0) + number


def percentile(histogram: Histogram, percent: float) -> float | None:
    """Return the value that *percent* of all values do not exceed; None without values."""
    remaining = math.ceil(sum(histogram.values()) * percent / 100)
    for bucket in sorted(histogram):
        remaining -= histogram[bucket]
        if remaining <= 0:
            return float(2 ** ((bucket + 0.5) / BUCKETS_PER_DOUBLING))
    return None


def flatten(histogram: Histogram) -> list[int]:
    """Return *histogram* in its stored form: bucket, number, bucket, number, …"""
    return [part for bucket in sorted(histogram) for part in (bucket, histogram[bucket])]


def unflatten(stored: Sequence[int]) -> Histogram:
    """Return the histogram whose stored form is *stored*."""
    return dict(zip(stored[::2], stored[1::2], strict=True))


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """Return the sum of *histograms*."""
    total: Histogram = {}
    for histogram in histograms:
        add(total, histogram)
    return total
