"""
Events that parse and still make no sense: `choices: [null]`, a text where an object belongs.

Readers, translators and folds are written for events as the APIs document them. What else an
upstream sends makes them fail in one of the ways below, which is the upstream's fault and no
failure of ours: whoever runs them on an upstream's events turns these into `not_understood`.
"""

from __future__ import annotations

from app.errors import UpstreamProtocolError

MALFORMED_EVENT_ERRORS = (TypeError, AttributeError, LookupError, ValueError, ArithmeticError, RecursionError)


def to_protocol_error(error: Exception) -> UpstreamProtocolError:
    """Return what to raise in the place of *error*, which names where it happened and no content."""
    trace, location = error.__traceback__, ""
    while trace is not None:
        location = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
        trace = trace.tb_next
    protocol_error = UpstreamProtocolError("The upstream sent an event that is not of its protocol")
    protocol_error.location = f"{type(error).__name__} in {location}"
    return protocol_error
