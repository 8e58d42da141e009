"""
Events that are JSON but not of the protocol: `choices: [null]`, a string instead of an object.

Readers, translators and folds expect events as the APIs document them, and fail on others with
the exceptions below. Their callers turn these into the upstream's failure, with
`to_protocol_error`.
"""

from __future__ import annotations

from app.errors import UpstreamProtocolError

MALFORMED_EVENT_ERRORS = (TypeError, AttributeError, LookupError, ValueError, ArithmeticError, RecursionError)


def to_protocol_error(error: Exception) -> UpstreamProtocolError:
    """Return the UpstreamProtocolError for *error*, with the code location and without content."""
    trace, location = error.__traceback__, ""
    while trace is not None:
        location = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
        trace = trace.tb_next
    protocol_error = UpstreamProtocolError("The upstream sent an event that is not of its protocol")
    protocol_error.location = f"{type(error).__name__} in {location}"
    return protocol_error
