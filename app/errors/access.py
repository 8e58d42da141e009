"""Errors of keys, sessions, roles and sign-ins: what a caller may not do."""

from __future__ import annotations

from app.errors.base import GatewayError


class InvalidApiKey(GatewayError):
    """The API key is missing, unknown, expired or disabled."""

    status, type, code = 401, "authentication_error", "invalid_api_key"
    retryable = False


class NotSignedIn(GatewayError):
    """The admin pages and their API need a session or an admin token."""

    status, type, code = 401, "authentication_error", "not_signed_in"
    retryable = False


class ReadOnlyToken(GatewayError):
    """An admin token of scope `read` was used for a change."""

    status, type, code = 403, "invalid_request_error", "read_only_token"
    retryable = False


class ForgedRequest(GatewayError):
    """A form or script request lacks the proof that it came from an admin page (CSRF)."""

    status, type, code = 403, "invalid_request_error", "forged_request"
    retryable = False


class RoleNotAllowed(GatewayError):
    """The role of the operator, or of the operator of an admin token, does not include this."""

    status, type, code = 403, "invalid_request_error", "role_not_allowed"
    retryable = False


class SecondFactorRequired(GatewayError):
    """The policy requires a second factor, which the operator who is signed in does not have."""

    status, type, code = 403, "invalid_request_error", "second_factor_required"
    retryable = False


class RotationNotAllowed(GatewayError):
    """The pool does not let the holders of keys rotate them."""

    status, type, code = 403, "invalid_request_error", "rotation_not_allowed"
    retryable = False

    def __init__(self) -> None:
        super().__init__("In this pool, the holder of a key may not rotate it; an operator can")


class SignInRefused(GatewayError):
    """An operator could not sign in by another service, for the reason in the message."""

    status, type, code = 403, "authentication_error", "sign_in_refused"
    retryable = False


class TooManyAttempts(GatewayError):
    """Too many failed sign-ins; see `retry_after_seconds`."""

    status, type, code = 429, "rate_limit_error", "too_many_attempts"


class ModelNotAllowed(GatewayError):
    """The API key is restricted to other models."""

    status, type, code = 403, "invalid_request_error", "model_not_allowed"
    retryable = False

    def __init__(self, model: str) -> None:
        super().__init__(f"This API key does not have access to model '{model}'")
        self.model = model


class TeamDisabled(GatewayError):
    """An operator disabled the team of the API key."""

    status, type, code = 403, "invalid_request_error", "team_disabled"
    retryable = False

    def __init__(self, team: str) -> None:
        super().__init__(f"The team '{team}' of this API key has been disabled")
