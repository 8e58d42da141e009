"""The models that a key may use, and their prices, for its holder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template

from app.accounts.model_routes import NO_ROUTES
from app.accounts.offered_models import OfferedModel, offered_models
from app.admin.services import services
from app.holders.guard import holder
from app.limits.prices import STANDARD, Price
from app.stores.records.api_keys import ApiKey
from app.stores.records.versions import NONE_SET

MAX_MODELS = 500  # models on the page

bp = Blueprint("models", __name__)


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model with its price in micro-dollars per million tokens; a model route has no price."""

    model: OfferedModel
    price: Price | None

    def rate(self, name: str) -> int | None:
        """Return the standard price of `input`, `cached_input` or `output`; None if it is not known."""
        rates = self.price.tiers.get(STANDARD) if self.price else None
        amount: int | None = getattr(rates, name, None)
        return amount

    @property
    def context(self) -> int | None:
        return self.price.context if self.price else None

    @property
    def max_output(self) -> int | None:
        return self.price.max_output if self.price else None


def models_of(key: ApiKey) -> list[OfferedModel]:
    """Return the models and model routes that *key* may use, by name."""
    current = services()
    routes = NO_ROUTES if key.routes == NONE_SET else current.routes.table(key.pool, key.routes)
    return offered_models(key, current.accounts.all(key.pool), routes, demo=current.demo)


@bp.get("/models")
def show() -> Any:
    """List the models that the key may use, with their prices."""
    key = holder()
    offered, prices = models_of(key), services().prices.table(key.pool, key.prices)
    return render_template(
        "holders/models.html",
        section="models.show",
        models=[
            ModelView(model, None if model.route else prices.find(model.name))
            for model in offered[:MAX_MODELS]
        ],
        total=len(offered),
    )
