"""
The values with which a form was opened, so that it does not silently replace what was changed since.

A form that edits a record has digests of these values in a hidden field. If a value was changed since then,
the form is shown again with what was submitted, the current values, and the name of who changed them.
Saving it again replaces these values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from flask import g, request

from app.admin.pages.forms import Form
from app.admin.services import services
from app.formatting import duration
from app.stores.records.audit import AuditFilter

FIELD = "shown"
DIGEST_CHARS = 8
MAX_CHARS = 200  # of a current value in an error
MAX_ENTRIES = 20  # of the audit log that name the record


def digests_of(values: Mapping[str, str]) -> str:
    """Return `<field>=<digest>` of each of *values* that is not empty, separated by spaces."""
    return " ".join(f"{name}={_digest(text)}" for name, text in values.items() if text)


def check_shown(form: Form, now: Mapping[str, str], noun: str, name: str, pool: str | None = None) -> None:
    """
    Record an error for each field of the submitted *form* that would replace a later change.

    *now* are the current values; from now on the form has their digests. *noun* and *name* are those of the
    record in the audit log, *pool* is '' for a record outside pools, None for the pool of the page.
    """
    opened_with = form.typed.get(FIELD)
    form.show(FIELD, digests_of(now))
    if request.method != "POST" or opened_with in (None, form[FIELD]):
        return
    before = dict(part.split("=", 1) for part in (opened_with or "").split(" ") if "=" in part)
    changed = [
        field
        for field in dict.fromkeys((*now, *before))
        if before.get(field, "") != _digest(now.get(field, "")) and form[field] != now.get(field, "")
    ]
    if not changed:
        return
    who = _latest_change(noun, name, g.pool if pool is None else pool)
    form.add_error("", f"{who} since you opened this form. Save again to replace that by what is below.")
    for field in changed:
        current = now.get(field, "")
        form.add_error(field, f"is “{current[:MAX_CHARS]}” now" if current else "is empty now")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARS] if text else ""


def _latest_change(noun: str, name: str, pool: str) -> str:
    """Return who changed the record last and when, as the beginning of a sentence."""
    matching = AuditFilter(action=noun, pool=pool, object_part=name)
    for entry in services().audit.page(max_entries=MAX_ENTRIES, matching=matching).entries:
        if entry["object"] == name and entry["after"]:
            passed = duration(max(0.0, services().clock.now() - entry["at"]))
            return f"{entry['who'] or 'Someone'} changed it {passed} ago,"
    return "It was changed"
