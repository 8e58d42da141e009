"""A data folder of codex-lb, with the columns of its version 1.24 that matter here."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from tests.support.sign_in_tokens import issued_token

KEY = Fernet.generate_key()
SECRET = "sk-clb-" + "a" * 43  # of the API key in FILLED
SCHEMA = """
CREATE TABLE accounts (
  id VARCHAR PRIMARY KEY, chatgpt_account_id VARCHAR, email VARCHAR, plan_type VARCHAR, alias VARCHAR,
  access_token_encrypted BLOB, refresh_token_encrypted BLOB, id_token_encrypted BLOB, last_refresh DATETIME,
  status VARCHAR(15), routing_policy VARCHAR, delete_requested_at DATETIME);
CREATE TABLE api_keys (
  id VARCHAR PRIMARY KEY, name VARCHAR, key_hash VARCHAR, key_prefix VARCHAR, allowed_models TEXT,
  expires_at DATETIME, is_active BOOLEAN, enforced_model VARCHAR, enforced_reasoning_effort VARCHAR,
  enforced_service_tier VARCHAR, allowed_reasoning_efforts TEXT, traffic_class VARCHAR,
  account_assignment_scope_enabled BOOLEAN, source_assignment_scope_enabled BOOLEAN);
CREATE TABLE api_key_limits (
  id INTEGER PRIMARY KEY, api_key_id VARCHAR, limit_type VARCHAR, limit_window VARCHAR, max_value BIGINT,
  current_value BIGINT, model_filter VARCHAR, reset_at DATETIME);
CREATE TABLE api_key_accounts (api_key_id VARCHAR, account_id VARCHAR);
CREATE TABLE api_key_model_sources (api_key_id VARCHAR, source_id VARCHAR);
CREATE TABLE model_sources (
  id VARCHAR PRIMARY KEY, name VARCHAR, kind VARCHAR, base_url VARCHAR, api_key_encrypted BLOB,
  is_enabled BOOLEAN, supports_chat_completions BOOLEAN, supports_responses BOOLEAN,
  timeout_seconds INTEGER, max_concurrency INTEGER);
CREATE TABLE model_source_models (
  id INTEGER PRIMARY KEY, source_id VARCHAR, model VARCHAR, is_enabled BOOLEAN, context_window INTEGER,
  max_output_tokens INTEGER, input_per_1m FLOAT, cached_input_per_1m FLOAT, output_per_1m FLOAT);
CREATE TABLE account_proxy_bindings (id VARCHAR PRIMARY KEY, account_id VARCHAR, is_active BOOLEAN);
CREATE TABLE dashboard_settings (id INTEGER PRIMARY KEY, upstream_proxy_routing_enabled BOOLEAN);
"""


def sealed(text: str) -> bytes:
    return Fernet(KEY).encrypt(text.encode())


def account(row_id: str, email: str, **fields: Any) -> dict[str, Any]:
    """Return a row of accounts, whose tokens begin with `token-`."""
    auth = {
        "https://api.openai.com/auth": {"chatgpt_account_id": f"acc-{row_id}", "chatgpt_plan_type": "plus"}
    }
    return {
        "id": row_id,
        "email": email,
        "status": "active",
        "last_refresh": "2026-11-28 10:00:00.000000",
        "access_token_encrypted": sealed(issued_token(exp=2_000_000_000, **auth)),
        "refresh_token_encrypted": sealed(f"token-refresh-{row_id}"),
        "id_token_encrypted": sealed(issued_token(email=email, **auth)),
        **fields,
    }


def api_key(row_id: str, name: str, **fields: Any) -> dict[str, Any]:
    digest = hashlib.sha256(row_id.encode()).hexdigest()
    return {"id": row_id, "name": name, "key_hash": digest, "is_active": 1, **fields}


def limit(key: str, unit: str, window: str, amount: Any, model: Any = None) -> dict[str, Any]:
    names = "api_key_id", "limit_type", "limit_window", "max_value", "model_filter"
    return dict(zip(names, (key, unit, window, amount, model), strict=True))


def source(row_id: str, name: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": row_id,
        "name": name,
        "kind": "openai_compatible",
        "base_url": "http://10.0.0.5:8000/v1",
        "api_key_encrypted": sealed("token-source"),
        "is_enabled": 1,
        "supports_chat_completions": 1,
        "supports_responses": 0,
        **fields,
    }


FILLED: dict[str, list[dict[str, Any]]] = {
    "accounts": [
        account("a", "ann@example.com", alias="Ann (home)"),
        account("b", "bob@example.com", status="paused", alias="Ann (home)"),
        account("c", "eve@example.com", status="reauth_required"),
    ],
    "api_keys": [
        api_key(
            "k",
            "Research",
            key_hash=hashlib.sha256(SECRET.encode()).hexdigest(),
            allowed_models='["gpt-5.2"]',
            expires_at="2030-01-01 00:00:00.000000",
        ),
        api_key("l", "scoped", account_assignment_scope_enabled=1, source_assignment_scope_enabled=1),
    ],
    "api_key_limits": [
        limit("k", "cost_usd", "monthly", 12_500_000),
        limit("k", "total_tokens", "daily", 1_000_000, "gpt-5.2"),
    ],
    "api_key_accounts": [{"api_key_id": "l", "account_id": "b"}],
    "model_sources": [source("s", "GPU box", max_concurrency=4)],
    "model_source_models": [
        {"source_id": "s", "model": "llama-4", "is_enabled": 1, "input_per_1m": 0.1, "output_per_1m": 0.25}
    ],
}


def write_folder(folder: Path, rows: dict[str, list[dict[str, Any]]] = FILLED, script: str = "") -> Path:
    """Create *folder* with *rows* by their tables, then run the SQL *script*."""
    folder.mkdir(exist_ok=True)
    (folder / "encryption.key").write_bytes(KEY)
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        connection.executescript(SCHEMA)
        for table, each in ((table, each) for table, listed in rows.items() for each in listed):
            marks = ", ".join("?" * len(each))
            connection.execute(f"INSERT INTO {table} ({', '.join(each)}) VALUES ({marks})", [*each.values()])
        connection.commit()
        connection.executescript(script)
    return folder
