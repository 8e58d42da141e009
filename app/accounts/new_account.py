"""What a person says of a new account, made whole: defaults of its kind, and its credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.accounts.account import WIRES, Account
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
    kind = said["kind"]
    if not credential and kind != "compatible":
        raise InvalidRequest(f"An account of kind {kind} needs a credential", param="credential")
    if not chatgpt_account_id and kind == "chatgpt":
        raise InvalidRequest("A chatgpt account needs its account id", param="chatgpt_account_id")
    homes = {"openai": settings.openai_base_url, "chatgpt": settings.chatgpt_base_url}
    return Account(
        id="",
        name=said["name"],
        kind=kind,
        base_url=said["base_url"] if "base_url" in said else homes[kind],
        wires=tuple(dict.fromkeys(said.get("wires", WIRES[kind]))),
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
