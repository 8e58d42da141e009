"""
Accounts and upstream models from the deployments in LiteLLM's `model_list`.

Deployments with the same base URL, credential and headers become one account. Sources:
https://docs.litellm.ai/docs/proxy/configs, https://docs.litellm.ai/docs/providers
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError

from app.accounts.kinds import find_kind
from app.operations.setup.remarks import Remarks
from schemas.account_settings import (
    MAX_HEADER_CHARS,
    MAX_TIMEOUT_SECONDS,
    MIN_TIMEOUT_SECONDS,
    SECRET_HEADERS,
    header_error,
)
from schemas.accounts import BaseUrl
from schemas.bounds import MAX_CREDENTIAL_CHARS, name_error

ENVIRONMENT = "os.environ/"  # prefix of a value that names a variable
OPENAI_URLS = ("https://api.openai.com", "https://api.openai.com/v1")
PLACEHOLDERS = frozenset(  # given as keys of servers that need none
    ("", "none", "null", "x", "empty", "dummy", "fake", "fake-key", "anything", "sk-1234")
)
# Providers that have OpenAI's API at an address in the file.
SELF_HOSTED = frozenset(
    (
        *("openai", "hosted_vllm", "vllm", "lm_studio", "llamafile", "openai_like", "custom_openai"),
        *("litellm_proxy", "xinference", "infinity", "docker_model_runner", "ollama", "ollama_chat"),
    )
)
HOSTED = {  # providers with OpenAI's API at an address that is known
    "openrouter": "https://openrouter.ai/api/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "together_ai": "https://api.together.xyz/v1",
    "fireworks_ai": "https://api.fireworks.ai/inference/v1",
    "xai": "https://api.x.ai/v1",
    "cerebras": "https://api.cerebras.ai/v1",
    "sambanova": "https://api.sambanova.ai/v1",
    "nvidia_nim": "https://integrate.api.nvidia.com/v1",
    "deepinfra": "https://api.deepinfra.com/v1/openai",
    "moonshot": "https://api.moonshot.ai/v1",
}
WITH_USUAL_VARIABLE = frozenset((*HOSTED, "openai", "azure"))  # LiteLLM knows the variable of their key
STREAM_TIMEOUT = "stream_timeout"
TIMEOUTS = {  # fields of an account, by LiteLLM's name
    "timeout": "timeout_seconds",
    STREAM_TIMEOUT: "first_token_timeout_seconds",
}
NO_TIMEOUT = f"it is no number of {MIN_TIMEOUT_SECONDS:g} to {MAX_TIMEOUT_SECONDS} seconds"
_OPENAI_MODEL = re.compile(r"(gpt-|o\d|chatgpt-|codex-|text-embedding-|whisper|tts|dall-e|omni-)")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9.]+")
_NOT_IN_VARIABLES = re.compile(r"[^A-Z0-9]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(slots=True)
class ImportedAccount:
    """An account for the document."""

    name: str
    kind: str
    base_url: str = ""  # empty: the usual one of the kind
    api_key_env: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_headers_env: Mapping[str, str] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    takes_any_model: bool = False
    caps: list[int | None] = field(default_factory=list)  # of each deployment
    timeouts: dict[str, list[float | None]] = field(default_factory=dict)  # of each, by the field here

    def entry(self) -> dict[str, Any]:
        """Return the entry of a document, without default values."""
        caps = [cap for cap in self.caps if cap is not None]
        entry = {
            "name": self.name,
            "kind": self.kind,
            "base_url": self.base_url,
            "api_key_env": self.api_key_env,
            "models": [] if self.takes_any_model else self.models,
            "cap": sum(caps) if len(caps) == len(self.caps) else 0,
            "headers": dict(self.headers),
            "secret_headers_env": dict(self.secret_headers_env),
            **{name: _longest(timeouts) for name, timeouts in self.timeouts.items()},
        }
        return {name: value for name, value in entry.items() if value}


@dataclass(frozen=True, slots=True)
class Deployment:
    """An entry of `model_list`: the *model* that *account* serves, with the parameters of the entry."""

    group: str
    account: ImportedAccount
    model: str
    params: Mapping[str, Any]
    info: Mapping[str, Any]
    path: str


class AccountReader:
    """
    Reads accounts from deployments.

    *environ* has the variables that values name; *credentials* are those of `credential_list`. *defaults* has
    the timeouts of the router, for deployments without their own.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        credentials: Mapping[str, Mapping[str, Any]],
        remarks: Remarks,
        defaults: Mapping[str, Any],
    ) -> None:
        self._environ = environ
        self._defaults = defaults
        self._credentials = credentials
        self._remarks = remarks
        self.secrets: dict[str, str] = {}  # keys in the file itself, by their new variables
        self._accounts: dict[tuple[object, ...], ImportedAccount] = {}

    @property
    def accounts(self) -> Sequence[ImportedAccount]:
        return list(self._accounts.values())

    def read(self, entry: Any, path: str) -> Deployment | None:
        """Read the *entry* at *path*; None, with a remark, if it cannot be imported."""
        params = entry.get("litellm_params") if isinstance(entry, dict) else None
        group = entry.get("model_name") if isinstance(entry, dict) else None
        if not isinstance(params, dict) or not isinstance(group, str):
            self._remarks.skipped(path, "it has no model_name, or no litellm_params")
            return None
        params = {**self._credential_values(params, path), **params}
        path = f"{path} ({group[:64]})"
        provider, model = _provider_and_model(str(self._resolve(params.get("model")) or ""))
        if not model or (error := name_error(model)):
            self._remarks.skipped(path, f"the model {error}" if model else "it names no model")
            return None
        kind, url = self._find_server(provider, params, path)
        if not kind:
            return None
        account = self._account(kind, url, provider, params, path)
        if account is None:
            return None
        account.takes_any_model = account.takes_any_model or "*" in model
        if model not in account.models and "*" not in model:
            account.models.append(model)
        cap = params.get("max_parallel_requests")
        account.caps.append(cap if type(cap) is int and 1 <= cap <= 100_000 else None)
        self._add_timeouts(account, params, path)
        info = entry.get("model_info")
        return Deployment(group, account, model, params, info if isinstance(info, dict) else {}, path)

    def _add_timeouts(self, account: ImportedAccount, params: Mapping[str, Any], path: str) -> None:
        """Add the timeouts of a deployment, else those of the router, to its *account*."""
        for theirs, name in TIMEOUTS.items():
            known = account.timeouts.setdefault(name, [])
            own = params.get(theirs)
            value = self._resolve(own if own is not None else self._defaults.get(theirs))
            seconds = _seconds(value)
            if value is not None and seconds is None:
                place = path if own is not None else "router_settings"
                self._remarks.skipped(place, f"{theirs}: {NO_TIMEOUT}")
            elif theirs == STREAM_TIMEOUT and seconds is not None:
                place = path if own is not None else "router_settings"
                self._remarks.changed(place, f"{theirs} is the time until a response begins")
            known.append(seconds)
            if len(set(known)) > 1:
                longest = _longest(known)
                of_pool = f"the longest, {longest:g} s" if longest else "that of the pool"
                self._remarks.changed(
                    path, f"{theirs}: the account '{account.name}' has one for all of its models, {of_pool}"
                )

    def _credential_values(self, params: Mapping[str, Any], path: str) -> Mapping[str, Any]:
        name = params.get("litellm_credential_name")
        if not isinstance(name, str):
            return {}
        if name not in self._credentials:
            self._remarks.skipped(path, f"the credential '{name[:64]}' is not in credential_list")
        return self._credentials.get(name, {})

    def _resolve(self, value: Any) -> Any:
        """Return *value*, or the value of the variable that it names; None if that is not set."""
        name = variable_in(value)
        return value if name is None else self._environ.get(name)

    def _find_server(self, provider: str, params: Mapping[str, Any], path: str) -> tuple[str, str]:
        """
        Return the kind of the account and its base URL, '' for the usual one; ('', '') for an unknown server.
        """
        given = params.get("api_base") or params.get("base_url") or ""
        url = self._resolve(given)
        if url is None:
            self._remarks.skipped(path, f"{str(given)[:128]} is not set, so its address is unknown")
            return "", ""
        url = str(url).rstrip("/").removesuffix("/chat/completions").rstrip("/")
        if provider == "azure" and url:
            if params.get("api_version"):
                self._remarks.changed(path, "api_version is not sent: Azure's v1 API has none")
            kind, url = "azure", f"{url.partition('/openai')[0]}/openai/v1"
        elif provider == "openai" and (not url or url in OPENAI_URLS):
            kind, url = "openai", ""
        elif provider in HOSTED:
            kind, url = "compatible", url or HOSTED[provider]
        elif provider in SELF_HOSTED and url:
            is_bare = provider.startswith("ollama") and not url.endswith("/v1")
            kind, url = "compatible", f"{url}/v1" if is_bare else url
        elif not provider:
            self._remarks.skipped(path, "its provider is not named: write provider/model")
            return "", ""
        else:
            self._remarks.skipped(path, f"{provider[:64]} has another API than OpenAI's, or has no api_base")
            return "", ""
        try:
            return kind, BaseUrl().deserialize(url) if url else ""
        except ValidationError as error:
            self._remarks.skipped(path, f"its api_base {error.messages[0]}")
            return "", ""

    def _account(
        self, kind: str, url: str, provider: str, params: Mapping[str, Any], path: str
    ) -> ImportedAccount | None:
        key = params.get("api_key")
        usual = provider if provider in HOSTED else kind
        if key is None and usual in WITH_USUAL_VARIABLE:
            key = f"{ENVIRONMENT}{usual.upper()}_API_KEY"
        if not isinstance(key, str) or key.lower() in PLACEHOLDERS:
            key = None
        setup = find_kind(kind).setup
        if key is None and setup and setup.needs_credential:
            self._remarks.skipped(path, "its api_key is missing, or a placeholder")
            return None
        headers, secret_headers = self._headers(params, path)
        identity = (kind, url, key, *sorted(headers.items()), *sorted(secret_headers.items()))
        account = self._accounts.get(identity)
        if account is not None:
            return account
        variable = variable_in(key)
        name = self._free_name(_account_name(kind, url, provider, variable))
        if variable is None and key is not None:
            variable = self._store_secret(name, "API_KEY", key, path)
        account = ImportedAccount(name, kind, url, variable or "", headers, secret_headers)
        self._accounts[identity] = account
        return account

    def _headers(self, params: Mapping[str, Any], path: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return the headers of a deployment: those with values, and those with names of variables."""
        given = params.get("extra_headers")
        headers: dict[str, str] = {}
        secret: dict[str, str] = {}
        if organization := params.get("organization"):
            headers["OpenAI-Organization"] = str(self._resolve(organization) or "")
        for name, value in (given if isinstance(given, dict) else {}).items():
            variable, text = variable_in(value), str(value)
            is_valid = text.isascii() and text.isprintable() and 0 < len(text) <= MAX_HEADER_CHARS
            if header_error(name) or not is_valid or text != text.strip():
                self._remarks.skipped(path, f"the header {name[:64]}")
            elif variable:
                secret[name] = variable
            elif name.lower() in SECRET_HEADERS:
                secret[name] = self._store_secret("litellm", name, text, path)
            else:
                headers[name] = text
        return {name: value for name, value in headers.items() if value}, secret

    def _store_secret(self, owner: str, what: str, value: str, path: str) -> str:
        """Return a new variable for a secret that is in the file itself."""
        base = "_".join(_NOT_IN_VARIABLES.sub("_", part.upper()).strip("_") for part in (owner, what))
        base = base if base[0].isalpha() else f"ACCOUNT_{base}"
        number, variable = 1, base
        while self.secrets.get(variable, value) != value:
            number += 1
            variable = f"{base}_{number}"
        if variable not in self.secrets:
            self._remarks.changed(path, f"its secret is in the file itself: {variable} stands for it")
        self.secrets[variable] = value[:MAX_CREDENTIAL_CHARS]
        return variable

    def _free_name(self, name: str) -> str:
        taken = {account.name for account in self._accounts.values()}
        number, numbered = 1, name
        while numbered in taken:
            number += 1
            numbered = f"{name[:60]}-{number}"
        return numbered


def _seconds(value: Any) -> float | None:
    """Return the seconds in *value*, a number or text; None if an account cannot have that timeout."""
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else 0
    except (ValueError, OverflowError):
        return None
    if not MIN_TIMEOUT_SECONDS <= number <= MAX_TIMEOUT_SECONDS:  # true for NaN as well
        return None
    return int(number) if number == int(number) else number


def _longest(timeouts: Sequence[float | None]) -> float:
    """Return the longest of *timeouts*, 0 if one is not known."""
    return max((seconds or 0 for seconds in timeouts), default=0) if all(timeouts) else 0


def variable_in(value: Any) -> str | None:
    """Return the name of the environment variable that *value* refers to, None if it is a plain value."""
    if not isinstance(value, str) or not value.startswith(ENVIRONMENT):
        return None
    name = value.removeprefix(ENVIRONMENT)
    return name if _VARIABLE.fullmatch(name) else None


def _provider_and_model(text: str) -> tuple[str, str]:
    """Split `provider/model`; a model without a provider is OpenAI's."""
    provider, slash, model = text.partition("/")
    if not slash:
        return ("openai" if _OPENAI_MODEL.match(text) else ""), text
    return provider.lower(), model


def _account_name(kind: str, url: str, provider: str, variable: str | None) -> str:
    if not url:
        text = variable or kind
    elif provider in HOSTED and url == HOSTED[provider]:
        text = provider
    else:
        host = urlsplit(url).netloc
        text = host.partition(".")[0] if host.endswith(".azure.com") else host
    return _NOT_IN_NAMES.sub("-", text.lower()).strip("-.")[:64] or kind
