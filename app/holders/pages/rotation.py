"""Rotation of a key by its holder."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, render_template, request

from app.accounts.settings import settings_from
from app.admin.pages.forms import Form
from app.admin.services import services
from app.errors import RotationNotAllowed, TooManyAttempts
from app.formatting import counted, duration
from app.holders import sessions
from app.holders.guard import holder, operations
from app.holders.pages.clients import snippets_of
from app.operations.key_warnings import rotation_warnings
from app.operators.sign_in_throttle import Locked
from app.stores.records.api_keys import ApiKey

MAX_OVERLAP_HOURS = 7 * 24  # for a longer overlap, holders need an operator
DEFAULT_OVERLAP_HOURS = "1"

bp = Blueprint("rotation", __name__)


@bp.route("/rotate", methods=["GET", "POST"])
def show() -> Any:
    """Give the key a new secret and show it, once. Its other sessions end."""
    key = holder()
    if not settings_from(key.settings).holders_rotate:
        raise RotationNotAllowed()
    form = Form(request.form or {"hours": DEFAULT_OVERLAP_HOURS}, "hours")
    if request.method == "POST":
        hours = form.integer("hours")
        if isinstance(hours, int) and 0 <= hours <= MAX_OVERLAP_HOURS:
            return _rotate(key, hours)
        form.add_error("hours", f"must be a whole number of hours, from 0 to {MAX_OVERLAP_HOURS}")
    return render_template(
        "holders/rotate.html",
        section="overview.show",
        form=form,
        warnings=rotation_warnings(key, time.time()),
        max_hours=MAX_OVERLAP_HOURS,
    ), form.status


def _rotate(key: ApiKey, hours: int) -> Any:
    _check_rate(key)
    changed, secret = operations().api_keys.rotate(key.pool, key.name, overlap_seconds=hours * 3600)
    sessions.sign_in(changed, secret)
    former = f"stays valid for {counted(hours, 'hour')}" if hours else "is no longer valid"
    return render_template(
        "holders/rotated.html",
        section="overview.show",
        secret=secret,
        note=f"The old secret {former}. All other sessions of this key on these pages have ended.",
        clients=snippets_of(key, secret),
    )


def _check_rate(key: ApiKey) -> None:
    """Count a rotation. Raises TooManyAttempts, since each one adds an entry to the audit log."""
    subject = f"rotation of {key.pool}/{key.id}"
    try:
        services().operator_stores.sign_in_throttle.begin(subject, subject)
    except Locked as error:
        seconds = error.retry_after_seconds or 0
        raise TooManyAttempts(
            f"This key was rotated several times just now. Try again in {duration(seconds)}.",
            retry_after_seconds=seconds,
        ) from None
