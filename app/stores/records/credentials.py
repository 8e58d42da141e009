"""Sign-ins of accounts as they are stored, and how exchanges of their refresh tokens end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict


class SealedTokens(TypedDict):
    """The fields of a stored account that hold the encrypted tokens of its sign-in."""

    sign_in: str
    expires_ms: int  # Unix ms


class LeaseResult(StrEnum):
    """Whether the refresh token may be exchanged now, and why not; see lua/lease_refresh.lua."""

    LEASED = "leased"
    RENEWED = "renewed"
    HELD = "held"
    COOLING = "cooling"
    UNANSWERED = "unanswered"
    DEAD = "dead"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class LeaseReply:
    """The reply to a request for a lease; fields that do not apply to its verdict are empty."""

    verdict: LeaseResult
    version: int = 0  # of the account, if its tokens were renewed already
    fence: int = 0
    rotation: int = 0
    sign_in: str = ""  # the sealed tokens


@dataclass(frozen=True, slots=True)
class FailedExchange:
    """How a token exchange failed; see lua/fail_refresh.lua for the flags."""

    reason: str
    is_permanent: bool = False  # whether a person has to sign in again
    is_answered: bool = True  # whether the sign-in service certainly did not use up the refresh token
    was_refused: bool = False  # whether the upstream refused the access token
    cool_seconds: float = 0.0  # seconds until the next exchange may be tried
