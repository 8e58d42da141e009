"""Bodies of the admin API's calls about operators and invitations."""

from __future__ import annotations

from schemas.fields import Text
from schemas.names import AdminSchema


class OperatorChange(AdminSchema):
    role = Text(required=True)  # owner, admin or viewer


class InvitationInput(AdminSchema):
    """`expires` is a duration from 1h to 30d; `label` is a note."""

    role = Text(required=True)
    expires = Text(load_default="3d")
    label = Text(load_default="")
