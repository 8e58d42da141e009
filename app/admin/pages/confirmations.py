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
    """A change of one object, such as `Disable` of a `team`; `text` is what follows from it."""

    verb: str  # in front of the noun; with a `d` it is the participle
    noun: str
    text: str
    section: str  # of the page
    then: str  # endpoint of the page after it; if that is of the object, its `name` is known


def confirm(change: ConfirmedChange, name: str, operation: Callable[[str, str], object], back: str) -> Any:
    """
    Return the page of the question or, once it is confirmed, run *operation* with the pool and *name*.

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
