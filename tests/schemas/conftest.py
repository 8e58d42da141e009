"""Helpers of all schema tests: what a schema returns, and the error it reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from marshmallow import Schema, ValidationError

from schemas.validation_errors import first_error

Refusal = Callable[[Schema, Any], tuple[str | None, str]]


@pytest.fixture
def refusal() -> Refusal:
    """Load a body that must not load; return its first error."""

    def load(schema: Schema, body: Any) -> tuple[str | None, str]:
        with pytest.raises(ValidationError) as caught:
            schema.load(body)
        return first_error(caught.value)

    return load
