"""Read the limits of a pool, for the forecast on the overview and in the admin API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.presentation.outlook import LimitOutlook, limits_by_use
from app.stores.calendar import Calendar
from app.stores.records.api_keys import ApiKey, KeyState
from app.wiring import Services

_calendar = Calendar()


def read_limits(
    services: Services, pool: str, api_keys: Iterable[ApiKey], now: float
) -> Sequence[LimitOutlook]:
    """Return the limits of *pool*, its teams and its active *api_keys*, the fullest first."""
    active = [key for key in api_keys if key.state_at(now) is KeyState.ACTIVE]
    owned = [("", limit) for limit in services.limits.all(pool)]
    owned += [(team.name, limit) for team in services.teams.all(pool) for limit in team.limits]
    owned += [(key.name, limit) for key in active for limit in key.limits]
    statuses = services.ledger.usage.limit_statuses(pool, [limit for _, limit in owned])
    windows = _calendar.windows(services.clock.zone_name(pool), now)
    starts = {period: window[0] / 1000 for period, window in windows.items()}
    with_status = [(owner, status) for (owner, _), status in zip(owned, statuses, strict=True)]
    return limits_by_use(with_status, starts, now)
