"""
Convert the data of codex-lb to sign-ins and a declarative document.

Both gateways store the SHA-256 of the entire API key, so callers can continue to use their keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from app.accounts.oauth_tokens import Tokens, tokens_from_fields
from app.accounts.sign_in_files import clean_name
from app.errors import InvalidRequest
from app.operations.account_rules import KIND_RULES
from app.operations.setup.codex_lb_keys import keys_of
from app.operations.setup.codex_lb_tables import Row, Tables, is_valid
from app.operations.setup.names import free_name, name_in
from app.operations.setup.remarks import Remarks
from schemas.admin import PriceInput
from schemas.setup_document import VERSION, AccountEntry

UNUSABLE = {
    "deactivated": "it is deactivated",
    "reauth_required": "it has to be signed in again",
}
PROXIED = (
    "paused, because its proxy is not imported: set one with poolgate account set {name} --proxy URL, "
    "and then poolgate account resume {name}"
)
PRICES = {
    "input": "input_per_1m",
    "output": "output_per_1m",
    "cached_input": "cached_input_per_1m",
    "context": "context_window",
    "max_output": "max_output_tokens",
}


@dataclass(slots=True)
class SignIn:
    """The *tokens* of a row of accounts; *name* is a suggestion."""

    name: str
    tokens: Tokens = field(repr=False)
    is_paused: bool = False
    rows: list[Any] = field(default_factory=list)  # ids; the first has the newest tokens


class CodexLb:
    """Converts *tables*; *cipher* decrypts their secrets."""

    def __init__(self, tables: Tables, cipher: Fernet, remarks: Remarks) -> None:
        self._tables = tables
        self._cipher = cipher
        self._remarks = remarks
        self.secrets: dict[str, str] = {}  # secrets of the document, by the names of their variables

    def check_cipher(self) -> None:
        """Raise InvalidRequest if there are secrets, and the key decrypts none."""
        sealed = [row["refresh_token_encrypted"] for row in self._tables["accounts"]]
        sealed += [row["api_key_encrypted"] for row in self._tables["model_sources"]]
        sealed = [secret for secret in sealed if secret is not None]
        if sealed and not any(self._opened(secret) for secret in sealed):
            raise InvalidRequest(
                "it decrypts none of the secrets in store.db: it belongs to another database"
            )

    def sign_ins(self) -> list[SignIn]:
        """Return the usable sign-ins, each once with its newest tokens."""
        found: dict[tuple[str, str], SignIn] = {}
        rows = sorted(self._tables["accounts"], key=lambda row: str(row["last_refresh"]), reverse=True)
        uses_default, bound = self._proxied()
        names: set[str] = set()
        for row in rows:
            name = clean_name(_text(row["alias"])) or clean_name(_text(row["email"])) or "account"
            name = free_name(name, names)
            path = f"accounts '{name}'"
            tokens = self._tokens(row, path)
            if tokens is None:
                continue
            identity = tokens.account_id, tokens.email
            if identity in found:
                self._remarks.skipped(
                    path, f"its sign-in is that of '{found[identity].name}', which is newer"
                )
                found[identity].rows.append(row["id"])
                continue
            is_proxied = uses_default or row["id"] in bound
            if is_proxied:
                self._remarks.changed(path, PROXIED.format(name=name))
            if row["routing_policy"] not in (None, "normal"):
                self._remarks.skipped(path, "its routing policy: see poolgate account set --group")
            names.add(name)
            is_paused = is_proxied or row["status"] == "paused"
            found[identity] = SignIn(name, tokens, is_paused, [row["id"]])
        return list(found.values())

    def document(self, names: Mapping[Any, str], *, takes_keys: bool) -> dict[str, Any]:
        """
        Return the document of everything but sign-ins; *names* are theirs, by the ids of their rows.

        *takes_keys*: whether the pool can have keys that another gateway made.
        """
        accounts, sources = self._sources(set(names.values()))
        keys: list[dict[str, Any]] = []
        if takes_keys:
            keys = keys_of(self._tables, names, sources, self._remarks)
        elif self._tables["api_keys"]:
            self._remarks.skipped("api_keys", "they work only in the pool default: create new ones")
        sections = {"prices": self._prices(accounts), "accounts": accounts, "keys": keys}
        return {"version": VERSION, **{name: section for name, section in sections.items() if section}}

    def _tokens(self, row: Row, path: str) -> Tokens | None:
        """Return the tokens of a row of accounts; None, with a remark, if they cannot be used."""
        if row["delete_requested_at"] is not None:
            self._remarks.skipped(path, "it is being deleted")
        elif row["status"] in UNUSABLE:
            self._remarks.skipped(path, f"{UNUSABLE[row['status']]}: use poolgate account login")
        else:
            return self._opened_tokens(row, path)
        return None

    def _opened_tokens(self, row: Row, path: str) -> Tokens | None:
        names = ("access_token", "refresh_token", "id_token")
        held = {name: self._opened(row[f"{name}_encrypted"]) for name in names}
        if not (held["access_token"] and held["refresh_token"]):
            self._remarks.skipped(path, "its tokens cannot be decrypted with encryption.key")
            return None
        moment = _text(row["last_refresh"])
        refreshed = moment if "+" in moment or moment.endswith("Z") else f"{moment}+00:00"  # UTC
        try:
            tokens = tokens_from_fields({**held, "account_id": _text(row["chatgpt_account_id"])}, refreshed)
        except InvalidRequest as error:
            self._remarks.skipped(path, error.message)
            return None
        if not tokens.account_id:
            self._remarks.skipped(path, "its tokens name no ChatGPT account")
            return None
        return tokens

    def _proxied(self) -> tuple[bool, set[Any]]:
        """Return whether a proxy applies to all accounts, and the ids of accounts with their own proxy."""
        settings, bindings = self._tables["dashboard_settings"], self._tables["account_proxy_bindings"]
        uses_default = any(row["upstream_proxy_routing_enabled"] for row in settings)
        return uses_default, {row["account_id"] for row in bindings if row["is_active"] != 0}

    def _sources(self, taken: set[str]) -> tuple[list[dict[str, Any]], dict[Any, str]]:
        """Return the entries of the model sources, and their names by the ids of their rows."""
        entries: list[dict[str, Any]] = []
        names: dict[Any, str] = {}
        schema = AccountEntry(KIND_RULES)
        models: dict[Any, list[Any]] = {}
        for row in self._models():
            models.setdefault(row["source_id"], []).append(row["model"])
        for row in self._tables["model_sources"]:
            name = free_name(name_in(row["name"]) or "source", taken)
            path = f"model_sources '{name}'"
            entry = self._source(row, name, models.get(row["id"], []), path)
            if entry is not None and is_valid(schema, entry, path, self._remarks):
                entries.append(entry)
                names[row["id"]] = name
                taken.add(name)
        return entries, names

    def _source(self, row: Row, name: str, models: list[Any], path: str) -> dict[str, Any] | None:
        """Return the entry of a model source; None, with a remark, if it has no counterpart."""
        wires = {"chat": row["supports_chat_completions"], "responses": row["supports_responses"]}
        spoken = [wire for wire, is_spoken in wires.items() if is_spoken == 1]
        sealed = row["api_key_encrypted"]
        secret = self._opened(sealed)
        reason = ""
        if row["kind"] != "openai_compatible":
            reason = "its kind has no counterpart"
        elif not spoken:
            reason = "it serves neither chat completions nor responses"
        elif not models:
            reason = "it has no enabled model"
        elif sealed is not None and not secret:
            reason = "its API key cannot be decrypted with encryption.key"
        if reason:
            self._remarks.skipped(path, reason)
            return None
        entry = {"name": name, "kind": "compatible", "base_url": row["base_url"], "models": models}
        entry |= {"wires": spoken, "cap": row["max_concurrency"], "timeout_seconds": row["timeout_seconds"]}
        if secret:
            entry["api_key_env"] = self._store_secret(name, secret)
        if row["is_enabled"] != 1:
            entry["paused"] = True
        return {field_name: value for field_name, value in entry.items() if value is not None}

    def _models(self) -> list[Row]:
        """Return the enabled models of all sources."""
        return [row for row in self._tables["model_source_models"] if row["is_enabled"] == 1]

    def _prices(self, accounts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        imported = {model for account in accounts for model in account["models"]}
        prices: dict[str, dict[str, Any]] = {}
        for row in self._models():
            model = row["model"]
            if model not in imported or None in (row["input_per_1m"], row["output_per_1m"]):
                continue
            price = {name: row[column] for name, column in PRICES.items() if row[column] is not None}
            if is_valid(PriceInput(), price, f"model_source_models '{model}'", self._remarks):
                prices.setdefault(model, price)
        return prices

    def _store_secret(self, name: str, secret: str) -> str:
        """Return a new variable for the secret of the account *name*."""
        words = "".join(letter if letter.isalnum() else "_" for letter in name.upper())
        variable = f"CODEX_LB_{words}_API_KEY"
        while variable in self.secrets:  # another name may lead to the same variable
            variable += "_"
        self.secrets[variable] = secret
        return variable

    def _opened(self, sealed: Any) -> str:
        """Return a decrypted secret of the database, '' if it cannot be decrypted."""
        try:
            return self._cipher.decrypt(sealed).decode() if isinstance(sealed, bytes) else ""
        except (InvalidToken, UnicodeDecodeError):
            return ""


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
