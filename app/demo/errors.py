"""Errors with which the demo refuses requests."""

from __future__ import annotations


class HttpError(Exception):
    """The request cannot be served; `envelope` is the OpenAI error object."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.envelope = {
            "error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}
        }
