"""
Forms that were submitted and not handled: the page of the error states whether anything was saved.

It repeats the fields in a form that submits them again, so that nothing has to be typed twice: after the
session has ended, with a CSRF token of a former session, or while the store was away. Only the browser that
submitted the fields from one of our own pages receives them, and they are stored nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import g, request
from werkzeug.exceptions import HTTPException

from app.admin.client_timeouts import ANONYMOUS_BYTES
from app.errors import GatewayError

# Not repeated: the token of the former session, and what authenticates the person who submits the form
OMITTED = frozenset(("csrf_token", "password", "new_password", "new_password_again", "code"))
UNSAVED = "Nothing was saved."
UNKNOWN = "It is not known whether this was saved: compare before you submit it again."


@dataclass(frozen=True, slots=True)
class UnhandledForm:
    """
    What was submitted to a page that answers with an error.

    `outcome` states whether it was saved. `fields` are (name, value) of each field to submit again to the
    page `path`, None if they cannot be repeated. `has_file`: a file, to be chosen again, was among them.
    """

    outcome: str
    path: str
    fields: list[tuple[str, str]] | None
    has_file: bool


def begin() -> None:
    """Note that the request is for a protected page, whose view has not begun."""
    g.view_has_begun = False


def begin_view() -> None:
    """Note that the caller is authenticated and the form is our own: what follows may change something."""
    g.view_has_begun = True


def is_from_own_page() -> bool:
    """Return whether a browser reports that one of our own pages submitted this form."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is None:  # browsers omit it over http, unless to localhost
        return urlsplit(request.headers.get("Origin", "")).netloc == request.host
    return site == "same-origin" and request.headers.get("Sec-Fetch-Mode") == "navigate"


def read_unhandled_form(error: GatewayError) -> UnhandledForm | None:
    """Return what the page of *error* states of the submitted form; None for other requests."""
    if request.method != "POST" or "view_has_begun" not in g:
        return None
    outcome = UNKNOWN if g.view_has_begun and error.status >= 500 else UNSAVED
    fields, has_file = _read_fields() if is_from_own_page() else (None, False)
    return UnhandledForm(outcome, request.full_path.rstrip("?"), fields, has_file)


def _read_fields() -> tuple[list[tuple[str, str]] | None, bool]:
    """Return (the fields, whether a file was among them); the fields are None if they are too long."""
    if "actor" not in g:
        request.max_content_length = ANONYMOUS_BYTES
    try:
        has_file = any(file.filename for file in request.files.values())
        fields = [(name, text) for name, text in request.form.items(multi=True) if name not in OMITTED]
    except HTTPException:  # too long, or the client has left
        return None, False
    return (None if has_file else fields), has_file
