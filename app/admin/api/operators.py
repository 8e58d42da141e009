"""Operators, their sessions, and invitations: for owners, and for tokens of owners."""

from __future__ import annotations

from flask import Blueprint, Response

from app import administration
from app.admin.api import inputs
from app.admin.api.inputs import deleted_response, json_response, list_response
from app.admin.guard import actor, operator, requires
from app.admin.services import services
from app.durations import parse_duration
from app.operations.operators import OperatorOperations
from app.operators.operators import INVITATION
from app.stores.records.operators import Role, checked_role, normalize_name
from schemas.operators import InvitationInput, OperatorChange

bp = Blueprint("operators", __name__, url_prefix="/operators")
policy_bp = Blueprint("sign_in_policy", __name__, url_prefix="/sign-in-policy")
invitations_bp = Blueprint("invitations", __name__, url_prefix="/invitations")

OPERATOR_CHANGE, INVITATION_INPUT = OperatorChange(), InvitationInput()


@bp.get("")
@requires(Role.OWNER)
def index() -> Response:
    """List operators by name."""
    inputs.query(inputs.NO_QUERY)
    return list_response([one.public() for one in services().operator_stores.operators.all()])


@bp.get("/<name>")
@requires(Role.OWNER)
def show(name: str) -> Response:
    """Get an operator."""
    inputs.query(inputs.NO_QUERY)
    return json_response(services().operator_stores.operators.find(normalize_name(name)).public())


@bp.patch("/<name>")
@requires(Role.OWNER)
def change(name: str) -> Response:
    """Give an operator another role, from their next request on."""
    inputs.query(inputs.NO_QUERY)
    role = checked_role(inputs.body(OPERATOR_CHANGE)["role"])
    return json_response(_operations().set_role(normalize_name(name), role).public())


@bp.delete("/<name>")
@requires(Role.OWNER)
def remove(name: str) -> Response:
    """Remove an operator, with their sessions, admin tokens and invitations. The last owner stays."""
    inputs.query(inputs.NO_QUERY)
    _operations().remove_operator(normalize_name(name))
    return deleted_response(name)


@bp.delete("/<name>/identity")
@requires(Role.OWNER)
def unlink(name: str) -> Response:
    """Disconnect an operator, who must have a password, from single sign-on; sessions begun by it end."""
    inputs.query(inputs.NO_QUERY)
    normalized = normalize_name(name)
    return json_response({"name": normalized, "sessions_ended": _operations().unlink(normalized)})


@bp.get("/<name>/sessions")
@requires(Role.OWNER)
def sessions(name: str) -> Response:
    """List the sessions of an operator, the most recently used first."""
    inputs.query(inputs.NO_QUERY)
    found = services().operator_stores.operators.find(normalize_name(name))
    return list_response([one.public() for one in services().operator_stores.sessions.all(found.name)])


@bp.delete("/<name>/sessions")
@requires(Role.OWNER)
def end_sessions(name: str) -> Response:
    """End every session of an operator."""
    inputs.query(inputs.NO_QUERY)
    found = services().operator_stores.operators.find(normalize_name(name))
    return json_response({"name": found.name, "sessions_ended": _operations().end_sessions(found.name)})


@policy_bp.get("")
@requires(Role.OWNER)
def policy() -> Response:
    """Get what is required of operators who sign in. Owners change it on a page, with their password."""
    inputs.query(inputs.NO_QUERY)
    return json_response(services().operator_stores.policy.current().public())


@invitations_bp.get("")
@requires(Role.OWNER)
def open_invitations() -> Response:
    """List open invitations, without their links."""
    inputs.query(inputs.NO_QUERY)
    return list_response([one.public() for one in services().operator_stores.invitations.all()])


@invitations_bp.post("")
@requires(Role.OWNER)
def invite() -> Response:
    """Create an invitation. `path` is its link below the gateway, returned only here; it works once."""
    inputs.query(inputs.NO_QUERY)
    fields = inputs.body(INVITATION_INPUT)
    role, seconds = checked_role(fields["role"]), parse_duration(fields["expires"])
    invitation, secret = _operations().invite(role, seconds, fields["label"], owner=operator())
    return json_response({**invitation.public(), "path": f"{INVITATION}?token={secret}"}, 201)


@invitations_bp.delete("/<invitation_id>")
@requires(Role.OWNER)
def revoke(invitation_id: str) -> Response:
    """Revoke an open invitation."""
    inputs.query(inputs.NO_QUERY)
    _operations().revoke_invitation(invitation_id)
    return json_response({"id": invitation_id, "deleted": True})


def _operations() -> OperatorOperations:
    return administration.operator_operations(services(), actor())
