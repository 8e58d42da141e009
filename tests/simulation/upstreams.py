"""Upstreams that are healthy or not by a plan, and their reports, true or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from app.errors import UpstreamRejected
from app.streaming.upstream_errors import rejection_from_body

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
FOR_EVER = 10**15

Json = dict[str, Any]

# kind of spell -> status and error, as upstreams word them
REFUSALS: dict[str, tuple[int, Json]] = {
    "burst": (429, {"code": "rate_limit_exceeded", "message": "Too many requests"}),
    "spent": (429, {"type": "usage_limit_reached", "message": "The usage limit has been reached"}),
    "overloaded": (503, {"code": "server_is_overloaded", "message": "Our servers are busy"}),
    "dead": (401, {"code": "token_expired", "message": "Your token has expired"}),
    "suspended": (403, {"code": "account_suspended", "message": "This account is suspended"}),
    "failing": (500, {"code": "server_error", "message": "Something went wrong"}),
}


@dataclass(frozen=True, slots=True)
class Spell:
    """One account fails from *begins* until *ends* (ms); `spent` accounts report the end as *reported*."""

    account: str
    kind: str
    begins: int
    ends: int = FOR_EVER
    reported: int = 0
    model: str = ""  # that alone; else all

    @property
    def name(self) -> str:
        return "early reset" if self.reported > self.ends else self.kind


class Upstreams:
    def __init__(self, spells: Sequence[Spell]) -> None:
        self._spells = spells

    def ailment(self, account: str, model: str, now: int) -> Spell | None:
        """Return what *account* has just now, None: it would serve *model*."""
        for spell in self._spells:
            concerned = spell.account == account and spell.model in ("", model)
            if concerned and spell.begins <= now < spell.ends:
                return spell
        return None

    def refusal(self, spell: Spell, now: int) -> UpstreamRejected:
        status, error = REFUSALS[spell.kind]
        if spell.reported:
            error = error | {"resets_in_seconds": (spell.reported - now) / 1000}
        return rejection_from_body(status, orjson.dumps({"error": error}), {})

    def usage(self, account: str, now: int) -> Json:
        """The report of the usage endpoint: always the truth."""
        spell = self.ailment(account, "", now)
        spent = spell is not None and spell.kind == "spent"
        left = (spell.ends - now) / 1000 if spell and spent else 3600
        window = {"used_percent": 100 if spent else 20, "reset_after_seconds": left}
        return {"rate_limit": {"allowed": not spent, "limit_reached": spent, "primary_window": window}}
