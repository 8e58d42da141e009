"""Requests: the newest as they end, a search through the ledger, and why each went where it went."""

from __future__ import annotations

from typing import Any

from flask import g, redirect, render_template, request, url_for

from app.admin.pages.forms import Form
from app.admin.pages.rows import RowView, names_of
from app.admin.pages.shell import page_blueprint
from app.admin.services import services
from app.pool.explain import explain

SEARCHED = ("key", "account", "model", "status", "since", "until")
STATUSES = (
    ("", "any"),
    ("ok", "answered"),
    ("failed", "failed"),
    ("429", "429 limited"),
    ("499", "499 left"),
    ("5xx", "500 and above"),
)
NEXT = {
    "other": "another account, or the same after a pause",
    "other_only": "another account, never this one",
    "restart": "another account goes on, if the key wants that",
    "tell": "the caller is told",
}
WAYS = {
    "affinity": "By affinity: it has this conversation",
    "asked again": "Asked again, for there is no other",
}

bp = page_blueprint("requests", "/requests")


@bp.get("/find")
def find() -> Any:
    """Lead from the field for an id to its page."""
    return redirect(url_for("requests.one", request_id=request.args.get("id", "").strip()[:100] or "-"))


@bp.get("/<request_id>")
def one(request_id: str) -> Any:
    client = services().scripts.client
    told = explain(client, g.pool, request_id)
    return render_template(
        "requests/one.html", place="requests.show", told=told, ways=_way, next_steps=NEXT, row=None
    )


def _way(choice: dict[str, Any]) -> str:
    return WAYS.get(choice["by"]) or f"By the policy “{str(choice['policy']).replace('_', ' ')}”"


@bp.get("")
def show() -> Any:
    found = services()
    client = found.scripts.client
    names = names_of(client, g.pool)
    form = Form(request.args, *SEARCHED)
    from app.quotas import tail

    entries = tail.after(client, g.pool, "", 50)
    return render_template(
        "requests/show.html",
        place="requests.show",
        form=form,
        rows=[RowView(row, names) for _, row in reversed(entries)],
        searched=False,
        live=True,
        newest=entries[-1][0] if entries else "0",
        statuses=STATUSES,
        key_names=[],
        account_names=[],
        looked="",
        older="",
        cursor="",
    )
