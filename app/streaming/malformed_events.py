"""
Events that parse and still make no sense: `choices: [null]`, a text where an object belongs.

Readers, translators and folds are written for events as the APIs document them. What else an
upstream sends makes them fail in one of the ways below, which is the upstream's fault and no
failure of ours: whoever runs them on an upstream's events turns these into `not_understood`.
"""

from __future__ import annotations

from app.errors import UpstreamProtocolError

CONFUSED = (TypeError, AttributeError, LookupError, ValueError, ArithmeticError, RecursionError)


def not_understood(error: Exception) -> UpstreamProtocolError:
    """Return what to raise in the place of *error*, which names where it happened and no content."""
    found, place = error.__traceback__, ""
    while found is not None:
        place = f"{found.tb_frame.f_code.co_qualname}:{found.tb_lineno}"
        found = found.tb_next
    confused = UpstreamProtocolError("The upstream sent an event that is not of its protocol")
    confused.location = f"{type(error).__name__} in {place}"
    return confused
