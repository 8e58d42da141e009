"""The prices that a pool sets itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PriceRow = Mapping[str, Any]  # as in app/limits/prices.json


@dataclass(frozen=True, slots=True)
class StoredPrices:
    """Rows by model; *version* counts the changes of a pool's rows."""

    version: str
    rows: Mapping[str, PriceRow]
