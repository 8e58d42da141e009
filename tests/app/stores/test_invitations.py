"""Invitations in the store: single use, bounded, and gone when they expire."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import InvalidRequest, NotFound, RoleNotAllowed
from app.stores import keys
from app.stores.invitations import MAX_OPEN, InvitationRepository
from app.stores.records.invitations import NewInvitation
from app.stores.records.operators import Role
from app.stores.scripts import Scripts
from app.stores.secrets import digest_of


@pytest.fixture
def invitations(redis_client: Any) -> InvitationRepository:
    return InvitationRepository(Scripts(redis_client))


def test_created(invitations: InvitationRepository, redis_client: Any) -> None:
    invitation, secret = invitations.create(NewInvitation(Role.ADMIN, "root", label="bea", seconds=3600))

    assert invitations.open(secret) == invitation == invitations.find(invitation.id)
    assert invitations.all() == [invitation]
    assert invitation.expires_at - invitation.created_at == 3600
    assert 0 < redis_client.ttl(keys.invitation(digest_of(secret))) <= 3600
    assert secret not in str(redis_client.hgetall(keys.invitations()))


def test_expired(invitations: InvitationRepository, redis_client: Any) -> None:
    invitation, secret = invitations.create(NewInvitation(Role.VIEWER, "root"))
    redis_client.delete(keys.invitation(digest_of(secret)))

    assert (invitations.open(secret), invitations.all()) == (None, [])
    with pytest.raises(NotFound):
        invitations.revoke(invitation.id)
    invitations.create(NewInvitation(Role.VIEWER, "root"))
    assert redis_client.hlen(keys.invitations()) == 1


def test_their_number_is_bounded(invitations: InvitationRepository) -> None:
    for _ in range(MAX_OPEN):
        invitations.create(NewInvitation(Role.VIEWER, "root"))

    with pytest.raises(InvalidRequest):
        invitations.create(NewInvitation(Role.VIEWER, "root"))
    invitations.revoke(invitations.all()[0].id)
    invitations.create(NewInvitation(Role.VIEWER, "root"))


def test_by_an_operator_who_is_gone(invitations: InvitationRepository) -> None:
    with pytest.raises(RoleNotAllowed):
        invitations.create(NewInvitation(Role.VIEWER, "ann", operator="ann"))
