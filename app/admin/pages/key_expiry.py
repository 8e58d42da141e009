"""The expiry of keys in a form: a date and time in the time zone of the viewer, or a number of days."""

from __future__ import annotations

import math

from app.admin.pages.clock import input_moment, parse_moment
from app.admin.pages.forms import Form
from app.admin.services import services

DAY_SECONDS = 86_400
EXPIRIES = (
    ("", "on a date, or never"),
    ("7", "in 7 days"),
    ("30", "in 30 days"),
    ("90", "in 90 days"),
)


def read_expiry(form: Form, stored: float | None = None) -> float | None:
    """
    Return the expiry in `expires_in`, else in `expires`, of *form*, in Unix seconds; None: never.

    *stored* is the present expiry, whose seconds the input cannot show. Errors are recorded at their fields.
    A time in the past is no error: after the change it becomes a warning, as everywhere.
    """
    if days := form["expires_in"]:
        if days in dict(EXPIRIES):
            return math.floor(services().clock.now()) + int(days) * DAY_SECONDS
        form.add_error("expires_in", "is not one of the choices")
        return None
    if stored and form["expires"] == input_moment(stored):
        return stored
    with form.collect_errors():
        return parse_moment(form["expires"], "expires")
    return None
