"""What admission is given: the services of its process, and what is derived from the request."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.accounts import AccountRepository
from app.accounts.known_models import KnownModels
from app.config import Settings, TimeLimits
from app.limits.bounds import Bounds
from app.limits.prices import Price
from app.records import record
from app.relay.endpoint_types import EndpointType
from app.relay.lost_replies import LostReplies
from app.relay.timing import Timing
from app.relay.waiting import WaitingRequests
from app.stores.admissions import AdmissionRepository
from app.stores.calendar import Calendar
from app.translation.requests.account_requirements import AccountRequirements


@record
class RequestPlan:
    """What is derived from a request before an account is selected: its price, bounds and time limits."""

    endpoint_type: EndpointType
    requirements: AccountRequirements
    price: Price | None
    bounds: Bounds
    is_strict: bool  # whether a strict limit counts the length of the response
    time_limits: TimeLimits
    is_stored: bool = False  # whether a stored response is returned, which needs no account


@dataclass(frozen=True, slots=True)
class AdmissionServices:
    """The services of the process that admission uses."""

    settings: Settings
    admissions: AdmissionRepository
    accounts: AccountRepository
    known_models: KnownModels
    calendar: Calendar
    waiting: WaitingRequests
    lost_replies: LostReplies
    timing: Timing
    demo: bool  # whether demo accounts serve requests
