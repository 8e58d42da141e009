"""Store invitations. An invited person has the secret; only its SHA-256 is stored."""

from __future__ import annotations

import secrets

from app.errors import InvalidRequest, NotFound, RoleNotAllowed
from app.stores import keys
from app.stores.records.invitations import Invitation, NewInvitation
from app.stores.records.operators import Role
from app.stores.scripts import Scripts
from app.stores.secrets import digest_of

MAX_OPEN = 100


class InvitationRepository:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def create(self, invitation: NewInvitation) -> tuple[Invitation, str]:
        """
        Store an invitation and return it with its secret, which cannot be read again.

        Raises InvalidRequest when too many are open, RoleNotAllowed when its author is not an owner.
        """
        secret = secrets.token_urlsafe(32)
        digest = digest_of(secret)
        fields = {
            "digest": digest,
            "id": secrets.token_hex(6),
            "role": invitation.role,
            "label": invitation.label,
            "by": invitation.created_by,
            "operator": invitation.operator,
            "life_ms": int(invitation.seconds * 1000),
            "most": MAX_OPEN,
        }
        outcome = self._scripts.run_raw("put_invitation", keys.SYSTEM, fields)
        if outcome == "full":
            raise InvalidRequest(f"{MAX_OPEN} invitations are open: revoke one first")
        created = self._read(digest)
        if outcome == "refused" or created is None:
            raise RoleNotAllowed("Only owners can invite")
        return created, secret

    def open(self, secret: str) -> Invitation | None:
        """Return the open invitation with *secret*, None when there is none."""
        return self._read(digest_of(secret))

    def all(self) -> list[Invitation]:
        """Return the open invitations, sorted by their expiry."""
        pipeline = self._scripts.client.pipeline(transaction=False)
        for digest in self._scripts.client.hvals(keys.invitations()):
            pipeline.hgetall(keys.invitation(digest))
        found = [_invitation_from(fields) for fields in pipeline.execute() if fields]
        return sorted(found, key=lambda invitation: invitation.expires_at)

    def find(self, invitation_id: str) -> Invitation:
        """Return the open invitation with the public id *invitation_id*. Raises NotFound."""
        found = next((one for one in self.all() if one.id == invitation_id), None)
        if found is None:
            raise _not_found()
        return found

    def revoke(self, invitation_id: str) -> None:
        """Revoke an open invitation. Raises NotFound."""
        if not self._scripts.run("revoke_invitation", keys.SYSTEM, invitation_id):
            raise _not_found()

    def _read(self, digest: str) -> Invitation | None:
        fields = self._scripts.client.hgetall(keys.invitation(digest))
        return _invitation_from(fields) if fields else None


def _not_found() -> NotFound:
    return NotFound("There is no such open invitation", param="id")


def _invitation_from(fields: dict[str, str]) -> Invitation:
    return Invitation(
        id=fields["id"],
        role=Role(fields["role"]),
        label=fields["label"],
        created_by=fields["by"],
        created_at=int(fields["created_ms"]) / 1000,
        expires_at=int(fields["expires_ms"]) / 1000,
    )
