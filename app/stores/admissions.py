"""Admission of requests: reserve under limits, select accounts, report attempts, and renew leases."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from app.stores.records.admission import (
    AdmitRequest,
    CalendarWindows,
    LimitStanding,
    Refusal,
    Selection,
    selection_or_refusal,
)
from app.stores.records.limits import LimitUnit
from app.stores.records.settlement import AttemptReport
from app.stores.scripts import Scripts


class AdmissionRepository:
    """Requests under way, in Redis. Every method is one round trip."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def admit(self, pool: str, request: AdmitRequest) -> Selection | Refusal:
        """Reserve for *request* and select an account. Raises StoreUnavailable."""
        return selection_or_refusal(self._scripts.run_json("admit", pool, request.arguments()))

    def report(
        self, pool: str, request: AdmitRequest, report: AttemptReport, calendar: CalendarWindows
    ) -> Selection | Refusal:
        """
        Report how an attempt ended, and select an account for the next one.

        *calendar* has the current windows: those at admission may be over. Raises StoreUnavailable.
        """
        arguments = {**request.arguments(), **report.arguments(), "calendar": calendar}
        return selection_or_refusal(self._scripts.run_json("report", pool, arguments))

    def withdraw(self, pool: str, request: AdmitRequest, limits: Iterable[LimitStanding]) -> bool:
        """
        End the admission of *request*, which was sent to no account, as if it had been refused.

        *limits* are those that it was admitted under. Return whether that was possible: not after its lease
        has expired. Raises StoreUnavailable.
        """
        counted = [(limit.limit_id, limit.period) for limit in limits if limit.unit == LimitUnit.REQUESTS]
        arguments = {
            "id": request.id,
            "conversation": request.conversation,
            "calendar": request.calendar,
            "counted": counted,
        }
        return bool(self._scripts.run("withdraw", pool, orjson.dumps(arguments)))

    def leave_queue(self, pool: str, request_id: str) -> None:
        """Remove a request that waits for an account from the queue. Raises StoreUnavailable."""
        self._scripts.run("leave_queue", pool, request_id)

    def cancel(self, pool: str, request_id: str, conversation: str) -> None:
        """
        Cancel the admission of a request that was refused because its reply was lost, if it was admitted.

        *conversation* is the fingerprint in its AdmitRequest. Raises StoreUnavailable.
        """
        self._scripts.run("cancel_admission", pool, request_id, conversation)

    def renew(self, pool: str, ttl_ms: int, request_ids: Iterable[str] = ()) -> list[str]:
        """
        Renew the leases of *request_ids*; return the ids whose lease is lost. Also sweep overdue leases.

        Raises StoreUnavailable.
        """
        lost: list[str] = self._scripts.run("renew_leases", pool, ttl_ms, *request_ids)
        return lost
