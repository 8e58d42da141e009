"""
The tables of codex-lb's database that are read.

Source: https://pypi.org/project/codex-lb/, app/db/models.py of version 1.24
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError

from app.operations.setup.remarks import Remarks
from schemas.validation_errors import first_error_path

Row = Mapping[str, Any]  # values as SQLite returns them, of any type
Tables = Mapping[str, Sequence[Row]]


@dataclass(frozen=True, slots=True)
class Table:
    """
    Columns that every version has, and *optional* ones. A table without required columns was added later.
    """

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


TABLES: Mapping[str, Table] = {
    "accounts": Table(
        (
            *("id", "email", "status", "last_refresh"),
            *("access_token_encrypted", "refresh_token_encrypted", "id_token_encrypted"),
        ),
        ("alias", "chatgpt_account_id", "routing_policy", "delete_requested_at"),
    ),
    "api_keys": Table(
        ("id", "name", "key_hash", "allowed_models", "expires_at", "is_active"),
        (
            *("enforced_model", "enforced_reasoning_effort", "enforced_service_tier"),
            *("allowed_reasoning_efforts", "traffic_class"),
            *("account_assignment_scope_enabled", "source_assignment_scope_enabled"),
        ),
    ),
    "api_key_limits": Table(
        ("id", "api_key_id", "limit_type", "limit_window", "max_value", "model_filter"),
    ),
    "api_key_accounts": Table((), ("api_key_id", "account_id")),
    "api_key_model_sources": Table((), ("api_key_id", "source_id")),
    "model_sources": Table(
        (),
        (
            *("id", "name", "kind", "base_url", "api_key_encrypted", "is_enabled"),
            *("supports_chat_completions", "supports_responses", "timeout_seconds", "max_concurrency"),
        ),
    ),
    "model_source_models": Table(
        (),
        (
            *("id", "source_id", "model", "is_enabled", "context_window", "max_output_tokens"),
            *("input_per_1m", "cached_input_per_1m", "output_per_1m"),
        ),
    ),
    "account_proxy_bindings": Table((), ("account_id", "is_active")),
    "dashboard_settings": Table((), ("upstream_proxy_routing_enabled",)),
}


def is_valid(schema: Schema, entry: dict[str, Any], path: str, remarks: Remarks) -> bool:
    """Return whether *schema* accepts *entry*, made from a row; if not, a remark has the reason."""
    try:
        schema.load(entry)
    except ValidationError as error:
        remarks.skipped(path, " ".join(first_error_path(error)))
        return False
    return True
