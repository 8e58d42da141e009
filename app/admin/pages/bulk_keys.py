"""
The change of several keys at once, which the list of keys offers for selected rows.

A first form names the action and the keys; the page of the confirmation lists them, and has the fields of the
action. Each key is changed by an operation of its own, so a fault of one does not stop the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import g, render_template, request, url_for

from app.admin.pages import choices, key_filters, limit_rows
from app.admin.pages.bulk_actions import ACTIONS, FIELDS, BulkAction
from app.admin.pages.forms import Form
from app.admin.pages.key_expiry import EXPIRIES
from app.admin.pages.layout import page_blueprint, redirect_with_notice
from app.admin.services import services
from app.formatting import counted, natural
from app.operations.each import apply_each
from schemas.bulk import MAX_BULK

MAX_BACK_CHARS = 2000
SECTION = "api_keys.show"

bp = page_blueprint("bulk_keys", "/bulk/keys")


@bp.post("")
def change() -> Any:
    """Show the confirmation of a change of several keys or, once it is confirmed, make it."""
    form = Form(
        {**limit_rows.row_values(), **request.form},
        *("do", "name", *FIELDS),
    )
    action, names = ACTIONS.get(form["do"]), _names(form)
    if action is None:
        return redirect_with_notice(
            "Choose what to do with the selected keys.", "api_keys.show", **_back(form)
        )
    if not names:
        return redirect_with_notice("Select at least one key.", "api_keys.show", **_back(form))
    if len(names) > MAX_BULK:
        form.add_error("name", f"At most {MAX_BULK} keys can be changed at once")
    elif form["confirmed"]:
        apply = action.read(form)
        if not form.errors:
            failed = [(one.name, one.text) for one in apply_each(apply, names) if not one.ok]
            return _result(action, names, failed, form)
    return _confirmation(form, action, names)


def _names(form: Form) -> list[str]:
    """Return the selected keys or, with `all`, those that match the filters of the list."""
    if not form["all"]:
        return list(dict.fromkeys(request.form.getlist("name")))
    args = _back(form)
    chosen, errors = key_filters.parse(args)
    matching = chosen.select(services().api_keys.all(g.pool), services().clock.now())
    if args.get("use") == "never":
        used = services().ledger.usage.used_keys(g.pool, [key.id for key in matching])
        matching = [key for key in matching if key.id not in used]
    return [] if errors else sorted((key.name for key in matching), key=natural)


def _back(form: Form) -> dict[str, str]:
    """Return the query of the list that the form was sent from."""
    try:
        query = dict(parse_qsl(urlsplit(form["back"][:MAX_BACK_CHARS]).query, max_num_fields=30))
    except ValueError:  # no address, or too many fields
        return {}
    return {name: value for name, value in query.items() if name in key_filters.STATE_OF_LIST}


def _list_url(form: Form) -> str:
    query: dict[str, Any] = {**_back(form)}
    return url_for("api_keys.show", **query)


def _result(action: BulkAction, names: Sequence[str], failed: Sequence[tuple[str, str]], form: Form) -> Any:
    """Return to the list with a notice, or show which keys were not changed, and why."""
    done = len(names) - len(failed)
    notice = f"{counted(done, 'key')} {'was' if done == 1 else 'were'} {action.done}."
    if not failed:
        return redirect_with_notice(notice, "api_keys.show", **_back(form))
    return render_template(
        "keys/bulk_result.html",
        section=SECTION,
        action=action,
        notice=notice,
        failed=failed,
        back=_list_url(form),
    ), 409


def _confirmation(form: Form, action: BulkAction, names: Sequence[str]) -> Any:
    api_keys = services().api_keys.all(g.pool)
    return render_template(
        "keys/bulk.html",
        section=SECTION,
        form=form,
        action=action,
        names=names[:MAX_BULK],
        total=len(names),
        back=_list_url(form),
        expiries=EXPIRIES,
        teams=choices.team_choices(),
        models=choices.model_choices(),
        label_names=sorted({name for key in api_keys for name, _ in key.labels}, key=natural),
    ), form.status
