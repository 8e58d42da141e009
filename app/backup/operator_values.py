"""Checks of the operators, admin tokens and audit entries in a backup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.backup.pool_contents import PoolContents
from app.backup.value_checks import (
    DIGEST,
    LATEST_MS,
    Unfit,
    check_integer,
    check_json,
    check_present,
    check_text,
)
from app.stores.records.operators import Role, SignInMethod, TokenScope, is_name
from app.stores.sign_in_policy import REQUIRED


def check_audit(_pool: PoolContents, _suffix: str, entries: Any) -> None:
    for _, fields in entries:
        entry = check_json(fields["entry"], "entry", dict)
        check_text(entry["action"], "action")


def check_operators(_pool: PoolContents, _suffix: str, names: list[str]) -> None:
    if not all(map(is_name, names)):
        raise Unfit("must be names of operators")


def check_operator(_pool: PoolContents, name: str, fields: Mapping[str, str]) -> None:
    if fields["name"] != name or not is_name(name):
        raise Unfit("must have the name of its operator")
    check_present(fields, "created_ms")
    check_moments(fields, "created_ms", "password_ms", "signed_in_ms")
    if "identity" in fields:
        check_digest(fields["identity"])
        SignInMethod(fields["method"])
    else:
        check_text(fields["password"], "password")
    Role(fields.get("role", Role.OWNER))


def check_sign_in_policy(_pool: PoolContents, _suffix: str, fields: Mapping[str, str]) -> None:
    if fields != {"second_factor": REQUIRED}:
        raise Unfit("must require a second factor")


def check_moments(fields: Mapping[str, str], *names: str) -> None:
    """Check the times in *fields*, in Unix milliseconds."""
    for name in names:
        if name in fields:
            check_integer(int(fields[name]), name, 0, LATEST_MS)


def check_identity(_pool: PoolContents, digest: str, name: str) -> None:
    check_digest(digest)
    if not is_name(name):
        raise Unfit("must have the name of an operator")


def check_digest(text: str) -> None:
    if DIGEST.fullmatch(text) is None:
        raise Unfit("must be a SHA-256")


def check_admin_token(_pool: PoolContents, digest: str, fields: Mapping[str, str]) -> None:
    if DIGEST.fullmatch(digest) is None or not is_name(fields["name"]):
        raise Unfit("must have a name, and be named by a SHA-256")
    TokenScope(fields.get("scope", TokenScope.FULL))
    check_present(fields, "created_ms", "expires_ms")
    check_moments(fields, "created_ms", "expires_ms", "used_ms")
    check_text(fields["by"], "by", min_chars=0)
    check_text(fields.get("operator", ""), "operator", min_chars=0)


def check_admin_tokens(_pool: PoolContents, _suffix: str, names: Mapping[str, str]) -> None:
    for name, digest in names.items():
        if not is_name(name) or DIGEST.fullmatch(digest) is None:
            raise Unfit("must be names of admin tokens")
