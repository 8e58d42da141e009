"""Forecast the limits of a pool, for the overview and for the admin API."""

from __future__ import annotations

from collections.abc import Sequence

from app.operations.pool_limits import PoolLimits
from app.presentation.outlook import LimitOutlook, limits_by_use
from app.stores.calendar import Calendar
from app.wiring import Services

_calendar = Calendar()


def forecast_limits(services: Services, pool: str, limits: PoolLimits) -> Sequence[LimitOutlook]:
    """Return the forecasts of the *limits* of *pool*, the fullest first."""
    windows = _calendar.windows(services.clock.zone_name(pool), limits.now)
    starts = {period: window[0] / 1000 for period, window in windows.items()}
    return limits_by_use(limits.statuses, starts, limits.now)
