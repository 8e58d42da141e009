"""The bodies that create and change a team of API keys."""

from __future__ import annotations

from schemas.bounds import MAX_LIMITS
from schemas.names import AdminSchema, Name, Names


class TeamInput(AdminSchema):
    """`limits` are those of the team, `key_limits` those of its new keys: texts like `500 usd/month`."""

    name = Name(required=True)
    limits = Names(MAX_LIMITS)
    key_limits = Names(MAX_LIMITS)


class TeamChange(AdminSchema):
    """Changes of a team; the limits of the team itself are changed one by one elsewhere."""

    key_limits = Names(MAX_LIMITS)  # empty: none
