"""The configuration of clients, for the holder of a key."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from app.admin.services import services
from app.holders.guard import holder
from app.holders.layout import base_url
from app.operations.account_check import example_model
from app.presentation.snippets import Snippet, snippets
from app.stores.records.api_keys import ApiKey

bp = Blueprint("clients", __name__)


def snippets_of(key: ApiKey, secret: str = "") -> list[Snippet]:
    """Return the snippets of all clients, with a model that *key* may use; *secret* is the key itself."""
    example = example_model(services().accounts.all(key.pool), key.may_use)
    model = next(iter(key.models), example or "gpt-5.2")
    return snippets(base_url(), model, secret)


@bp.get("/clients")
def show() -> Any:
    """Show the base URL and the configuration of clients."""
    return render_template(
        "holders/clients.html", section="clients.show", base_url=base_url(), clients=snippets_of(holder())
    )
