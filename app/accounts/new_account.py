"""What a person says of a new account, made whole: defaults of its kind, and its credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.accounts.account import Account
from app.accounts.kinds import KINDS
from app.config import Settings
from app.errors import InvalidRequest


def new_account(
    said: Mapping[str, Any], settings: Settings, *, credential: str = "", chatgpt_account_id: str = ""
) -> Account:
    """
    Return the account that *said*, the fields of a valid AccountInput, describes; it has no id yet.

    *credential* is its API key or access token. Raises InvalidRequest when one that the kind
    needs is missing, or could not stand in a header.
    """
    kind = KINDS[said["kind"]]
    setup = kind.setup
    if setup is None:
        raise InvalidRequest(f"Accounts of kind {kind.name} are not added by hand", param="kind")
    if not credential and setup.needs_credential:
        raise InvalidRequest(f"An account of kind {kind.name} needs a credential", param="credential")
    if not chatgpt_account_id and setup.needs_account_id:
        raise InvalidRequest(f"A {kind.name} account needs its account id", param="chatgpt_account_id")
    base_url = said.get("base_url") or (setup.default_base_url(settings) if setup.default_base_url else "")
    return Account(
        id="",
        name=said["name"],
        kind=kind.name,
        base_url=base_url,
        wires=tuple(dict.fromkeys(said.get("wires", kind.protocols))),
        models=tuple(dict.fromkeys(said.get("models", ()))),
        chatgpt_account_id=_for_header(chatgpt_account_id, "chatgpt_account_id"),
        credential=_for_header(credential, "credential"),
        **{name: said[name] for name in ("weight", "cap", "group") if name in said},
    )


def changed_account(account: Account, said: Mapping[str, Any]) -> Account:
    """Return *account* with *said*: fields of an AccountInput that was loaded with `partial=True`."""
    fields: dict[str, Any] = {name: said[name] for name in ("weight", "cap", "group") if name in said}
    if "models" in said:
        fields["models"] = tuple(dict.fromkeys(said["models"]))
    return replace(account, **fields)


def checked_credential(credential: str) -> str:
    """Return *credential* when it can stand in a header. Raises InvalidRequest, which never repeats it."""
    return _for_header(credential, "credential")


def _for_header(value: str, param: str) -> str:
    """Return *value* when it can stand in a header; the error never repeats it."""
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise InvalidRequest(f"{param} must be one line of printable ASCII without spaces", param=param)
    return value
