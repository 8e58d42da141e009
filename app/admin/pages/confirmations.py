"""Changes that a page makes after a confirmation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import g, request, url_for

from app.admin.pages.forms import Form, confirmation
from app.admin.pages.layout import redirect_with_notice


@dataclass(frozen=True, slots=True)
class ConfirmedChange:
    """A change of one object, such as `Disable` of a `team`; `text` describes its consequences."""

    verb: str  # such as `Disable`; with a `d` added it is the participle
    noun: str
    text: str
    section: str  # of the navigation
    then: str  # endpoint to redirect to; it gets `name` if it is the page of the object


def confirm(change: ConfirmedChange, name: str, operation: Callable[[str, str], object], back: str) -> Any:
    """
    Show the confirmation or, once it is confirmed, run *operation* with the pool and *name*.

    *back* is the endpoint of the object's page.
    """
    form = Form(request.form)
    if request.method == "POST":
        with form.collect_errors():
            operation(g.pool, name)
            notice = f"{change.noun.capitalize()} {name} was {change.verb.lower()}d."
            named = {"name": name} if change.then == back else {}
            return redirect_with_notice(notice, change.then, **named)
    question = f"{change.verb} {change.noun} {name}?"
    address = url_for(back, name=name)
    return confirmation(form, question, change.text, change.verb, section=change.section, back=address)
