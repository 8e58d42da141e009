"""Ask the ChatGPT backend how much of each account's usage windows is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.errors import UpstreamProtocolError, UpstreamRejected
from app.pool.account import Account
from app.pool.windows import has_room, mark_from_usage
from app.wiring import Services
from workers.each_account import Look, look_at_each

EVERY_SECONDS = 60.0
PATH = "/wham/usage"


def run(services: Services, now: float) -> None:
    """Keep what the usage endpoint tells; it also ends `window_spent` when there is room again."""
    look_at_each(services, now, _LOOK)


def _is_wanted(account: Account, now: float) -> bool:
    return account.kind == "chatgpt" and account.state not in ("paused", "credential_dead")


def _ask(services: Services, pool: str, account: Account, now: float) -> str:
    usage = get_object(services, pool, account, PATH)
    services.accounts.observe(
        pool, account.id, {}, mark=mark_from_usage(usage, now), room=has_room(usage) is True
    )
    services.told.keep(pool, account.id, "usage", shown(usage))
    return "ok"


def shown(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return what clients may be shown of *usage* besides the windows that accounts are chosen by."""
    limits = usage.get("rate_limit")
    monthly = limits.get("monthly_window") if isinstance(limits, dict) else None
    told = {"plan_type": usage.get("plan_type"), "credits": usage.get("credits"), "monthly_window": monthly}
    wanted = {"plan_type": str, "credits": dict, "monthly_window": dict}
    return {name: value for name, value in told.items() if isinstance(value, wanted[name])}


def get_object(services: Services, pool: str, account: Account, path: str) -> dict[str, Any]:
    """
    Return the JSON object at *path* of *account*; a refused token is renewed once.

    Raises UpstreamError.
    """
    try:
        payload = services.upstream.get_json(account, path)
    except UpstreamRejected as error:
        renewed = None
        if error.upstream_status == 401:
            renewed = services.refresher.refresh_after_401(pool, account)
        if renewed is None:
            raise
        payload = services.upstream.get_json(renewed, path)
    if not isinstance(payload, dict):
        raise UpstreamProtocolError("The upstream's answer is not a JSON object")
    return payload


_LOOK = Look("usage", EVERY_SECONDS, _is_wanted, _ask)
