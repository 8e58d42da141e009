"""How a view changes something: through the desk, in the name of whoever is signed in."""

from __future__ import annotations

from app.admin.guard import actor
from app.admin.services import services
from app.operations.service import AdminOperations


def operations() -> AdminOperations:
    return services().operations(actor())
