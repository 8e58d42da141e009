"""Invitations: each lets one person create an operator, with a role that its author chose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from app.errors import InvalidRequest
from app.records import public_fields
from app.stores.records.operators import Role

MAX_LABEL_CHARS = 200
MIN_SECONDS, MAX_SECONDS = 3600, 30 * 86400
DEFAULT_SECONDS = 3 * 86400


class InvitationJson(TypedDict):
    """The public fields of an Invitation."""

    id: str
    role: Role
    label: str
    created_by: str
    created_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Invitation:
    """An open invitation. `id` is public; times are Unix seconds; `label` is a note of its author."""

    id: str
    role: Role
    label: str
    created_by: str
    created_at: float
    expires_at: float

    def public(self) -> InvitationJson:
        return public_fields(self, InvitationJson)


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """
    An invitation to store.

    It ends when `operator` loses the role of owner; '': the command line made it.
    """

    role: Role
    created_by: str
    operator: str = ""
    label: str = ""
    seconds: float = DEFAULT_SECONDS


def checked_label(text: str) -> str:
    """Return the note *text*. Raises InvalidRequest if it is not acceptable."""
    label = text.strip()
    if len(label) > MAX_LABEL_CHARS or not label.isprintable():
        raise InvalidRequest(f"must be one line of at most {MAX_LABEL_CHARS} characters", param="label")
    return label


def checked_lifetime(seconds: float | None) -> float:
    """Return *seconds*. Raises InvalidRequest if an invitation may not be valid for so long."""
    if seconds is None or not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise InvalidRequest("must be a duration from 1h to 30d, such as 3d", param="expires")
    return seconds
