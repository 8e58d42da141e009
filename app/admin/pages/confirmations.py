"""
Changes that a page makes after a confirmation.

The rule of all pages: what one click on the same page cannot undo, such as `Remove` and `Revoke`, and what
stops other people's work has a confirmation. Buttons of lists and details link to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, request

from app.admin.pages.forms import Form, confirmation


@dataclass(frozen=True, slots=True)
class ConfirmedChange:
    """A change of one object, such as `Disable` of a `team`; `text` describes its consequences."""

    verb: str  # such as `Disable`; with a `d` added it is the participle
    noun: str
    text: str
    section: str  # of the navigation
    checks: Sequence[tuple[str, str]] = ()  # names and labels of checkboxes


def confirm(
    change: ConfirmedChange, name: str, operation: Callable[[Form], object], *, back: str, then: str = ""
) -> Any:
    """
    Show the confirmation of *change* of *name* or, once it is confirmed, run *operation* with the form.

    *back* is the address to which `Cancel` leads, and the change too unless *then* is another one.
    """
    form = Form(request.form, *(field for field, _ in change.checks))
    subject = f"{change.noun} {name}".rstrip()
    if request.method == "POST":
        with form.collect_errors():
            operation(form)
            flash(f"{subject[0].upper()}{subject[1:]} was {change.verb.lower()}d.")
            return redirect(then or back, 303)
    return confirmation(
        form,
        f"{change.verb} {subject}?",
        change.text,
        change.verb,
        section=change.section,
        back=back,
        checks=change.checks,
    )
