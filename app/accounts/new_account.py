"""Create accounts from the fields that an operator gives, with the defaults of their kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.accounts.account import Account
from app.accounts.kinds import KINDS, kind_of
from app.accounts.request_settings import NO_SETTINGS, ON, RequestSettings, changed_settings
from app.config import Settings
from app.errors import InvalidRequest
from schemas.bounds import MAX_CREDENTIAL_CHARS

CHANGEABLE = ("weight", "cap", "group", "stream_upstream")  # fields that are stored as given


def new_account(
    fields: Mapping[str, Any], settings: Settings, *, credential: str = "", chatgpt_account_id: str = ""
) -> Account:
    """
    Return the account that *fields*, a valid AccountInput, describes; it has no id yet.

    *credential* is its API key or access token. Raises InvalidRequest when one that the kind
    needs is missing, or is not valid in a header.
    """
    kind = KINDS[fields["kind"]]
    setup = kind.setup
    if setup is None:
        raise InvalidRequest(f"Accounts of kind {kind.name} are not added by hand", param="kind")
    if not credential and setup.needs_credential:
        raise InvalidRequest(f"An account of kind {kind.name} needs a credential", param="credential")
    if not chatgpt_account_id and setup.needs_account_id:
        raise InvalidRequest(f"A {kind.name} account needs its account id", param="chatgpt_account_id")
    base_url = fields.get("base_url") or (setup.default_base_url(settings) if setup.default_base_url else "")
    account = Account(
        id="",
        name=fields["name"],
        kind=kind.name,
        base_url=base_url,
        protocols=tuple(dict.fromkeys(fields.get("wires", kind.protocols))),
        models=tuple(dict.fromkeys(fields.get("models", ()))),
        chatgpt_account_id=_for_header(chatgpt_account_id, "chatgpt_account_id"),
        credential=_for_header(credential, "credential"),
        settings=changed_settings(NO_SETTINGS, fields),
        **{name: fields[name] for name in CHANGEABLE if name in fields},
    )
    _check_settings(account, account.settings)
    return account


def changed_account(account: Account, fields: Mapping[str, Any]) -> Account:
    """Return *account* with *fields*, an AccountInput that was loaded with `partial=True`."""
    changes: dict[str, Any] = {name: fields[name] for name in CHANGEABLE if name in fields}
    if "models" in fields:
        changes["models"] = tuple(dict.fromkeys(fields["models"]))
    settings = changed_settings(account.settings, fields)
    _check_settings(account, settings)
    return replace(account, settings=settings, **changes)


def _check_settings(account: Account, settings: RequestSettings) -> None:
    """Raise InvalidRequest for a setting that accounts of this kind cannot have."""
    if settings.auth_header and kind_of(account).has_sign_in:
        raise InvalidRequest(
            f"An account of kind {account.kind} sends its token as its service requires it",
            param="auth_header",
        )
    if settings.websocket == ON and kind_of(account).websocket_headers is None:
        raise InvalidRequest(
            f"Only accounts of kind openai and chatgpt use WebSocket, and this is of kind {account.kind}",
            param="websocket",
        )
    if settings.ca_certificates and not account.base_url.startswith("https:"):
        raise InvalidRequest(
            "Certificates verify a server that is reached by https, and the base URL is http",
            param="ca_certificates",
        )


def checked_credential(credential: str) -> str:
    """Return *credential* if it is valid in a header. Raises InvalidRequest, which never contains it."""
    return _for_header(credential, "credential")


def _for_header(value: str, param: str) -> str:
    """Return *value* if it is valid in a header. Raises InvalidRequest, which never contains it."""
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise InvalidRequest(f"{param} must be one line of printable ASCII without spaces", param=param)
    if len(value) > MAX_CREDENTIAL_CHARS:
        raise InvalidRequest(f"{param} must have at most {MAX_CREDENTIAL_CHARS} characters", param=param)
    return value
