"""
Convert LiteLLM's `config.yaml` to a declarative document.

Its keys, teams and users are not in this file but in a database. Source:
https://docs.litellm.ai/docs/proxy/config_settings
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from app.errors import InvalidRequest
from app.limits.limit_syntax import format_limit, parse_limit
from app.limits.prices import MILLION
from app.operations.setup.litellm_accounts import TIMEOUTS, AccountReader, Deployment, variable_in
from app.operations.setup.litellm_keys import KeyConverter
from app.operations.setup.litellm_periods import period_of
from app.operations.setup.litellm_routes import RouteBuilder
from app.operations.setup.remarks import Remark, Remarks
from schemas.admin import MAX_DOLLARS, MAX_MODEL_TOKENS
from schemas.setup_document import VERSION

MAX_DEPLOYMENTS = 5000
PRICES = {  # the field of a document, by LiteLLM's name for the price of one token
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
}
READ_PARAMS = frozenset(
    (
        *("model", "api_base", "base_url", "api_key", "api_version", "organization", "extra_headers"),
        *("litellm_credential_name", "weight", "rpm", "tpm", "order", "max_parallel_requests"),
        *("drop_params", "reasoning_effort", "temperature", "max_tokens", "service_tier"),
        *PRICES,
        *TIMEOUTS,
    )
)
READ_INFO = frozenset(
    (
        *("id", "mode", "base_model", "db_model", "description", "litellm_provider", "key"),
        *("max_tokens", "max_input_tokens", "max_output_tokens"),
        *PRICES,
    )
)
POLICIES = {  # by `routing_strategy`; None: the default
    "simple-shuffle": None,
    "usage-based-routing": None,
    "usage-based-routing-v2": None,
    "least-busy": "least_loaded",
}
READ_SETTINGS = {  # of a section; all others are reported
    "router_settings": (
        *("routing_strategy", "model_group_alias", "fallbacks", "context_window_fallbacks"),
        *("default_fallbacks", "enable_pre_call_check", "enable_pre_call_checks"),
        *TIMEOUTS,
    ),
    "litellm_settings": (
        *("fallbacks", "context_window_fallbacks", "default_fallbacks", "model_group_alias"),
        *("drop_params", "max_budget", "budget_duration", "timezone", "request_timeout"),
    ),
    "general_settings": (),
}
SECTIONS = ("model_list", "credential_list", "environment_variables", "include", *READ_SETTINGS)
REASONS = {
    "num_retries": "retries have one budget per request, which is computed",
    "allowed_fails": "the kind of a failure decides how long an account is not used",
    "cooldown_time": "the kind of a failure decides how long an account is not used",
    "retry_policy": "the kind of a failure decides about retries",
    "content_policy_fallbacks": "an answer that a provider's policy refuses is final",
    "master_key": "operators are invited: see poolgate admin invite --help",
    "database_url": "keys and teams of the database are not in this file: see --keys and --teams",
    "store_model_in_db": "models of the database are not in this file",
}
NO_COUNTERPART = "it has no counterpart"


@dataclass(frozen=True, slots=True)
class Converted:
    """A *document*, the *secrets* from the file by the names of their new variables, and the remarks."""

    document: dict[str, Any]
    secrets: Mapping[str, str]
    remarks: list[Remark]


def convert_litellm(
    config: Any,
    environ: Mapping[str, str],
    *,
    keys: Any = None,
    teams: Any = None,
    reads_included: bool = True,
) -> Converted:
    """
    Convert *config*, the content of a `config.yaml`.

    *environ* has the variables that addresses name; *keys* and *teams* are lists of the admin API, if given.
    *reads_included*: whether *config* already contains the files that it includes. Raises InvalidRequest if
    an argument does not have its form.
    """
    if not isinstance(config, dict) or not isinstance(config.get("model_list"), list):
        raise InvalidRequest("model_list must be a list", param="model_list")
    if len(config["model_list"]) > MAX_DEPLOYMENTS:
        raise InvalidRequest(f"model_list must have at most {MAX_DEPLOYMENTS} entries", param="model_list")
    remarks = Remarks()
    variables = _section(config, "environment_variables")
    own = {name: str(value) for name, value in variables.items() if variable_in(value) is None}
    router = {**_section(config, "litellm_settings"), **_section(config, "router_settings")}
    defaults = {"timeout": router.get("request_timeout"), **router}
    reader = AccountReader({**environ, **own}, _credentials(config), remarks, defaults)
    entries = enumerate(config["model_list"])
    read = [reader.read(entry, f"model_list[{index}]") for index, entry in entries]
    deployments = [deployment for deployment in read if deployment is not None]
    builder = RouteBuilder(deployments, router, remarks)
    key_converter = KeyConverter(remarks)
    document: dict[str, Any] = {
        "settings": _settings(config, router, remarks),
        "limits": _limits(_section(config, "litellm_settings"), remarks),
        "prices": _prices(deployments, remarks),
        "accounts": [account.entry() for account in reader.accounts],
        "models": builder.routes(),
        "teams": key_converter.teams(teams) if teams is not None else [],
        "keys": key_converter.keys(keys) if keys is not None else [],
    }
    builder.report_lost_fallbacks()
    if config.get("include") and not reads_included:
        remarks.skipped("include", "other files are not read here: add their content to this one")
    _report_unread(config, deployments, remarks)
    sections = {name: section for name, section in document.items() if section}
    return Converted({"version": VERSION, **sections}, {**own, **reader.secrets}, remarks.all())


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    return section if isinstance(section, dict) else {}


def _credentials(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    entries = config.get("credential_list")
    return {
        str(entry.get("credential_name")): entry["credential_values"]
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("credential_values"), dict)
    }


def _settings(config: Mapping[str, Any], router: Mapping[str, Any], remarks: Remarks) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    strategy = str(router.get("routing_strategy", "simple-shuffle"))
    if strategy not in POLICIES:
        remarks.skipped("router_settings.routing_strategy", f"{strategy[:64]} has no counterpart")
    elif POLICIES[strategy]:
        settings["policy"] = POLICIES[strategy]
    zone = _section(config, "litellm_settings").get("timezone")
    if isinstance(zone, str) and zone in available_timezones():
        settings["zone"] = zone
    elif zone is not None:
        remarks.skipped("litellm_settings.timezone", "it is no IANA time zone")
    return settings


def _limits(section: Mapping[str, Any], remarks: Remarks) -> list[str]:
    budget, duration = section.get("max_budget"), section.get("budget_duration")
    if budget is None:
        return []
    period = period_of(duration)
    if period is None:
        remarks.skipped("litellm_settings.max_budget", f"a budget for {str(duration)[:32]}: no such period")
        return []
    text = f"{str(budget)[:40]} usd/{period}"
    try:
        return [format_limit(parse_limit(text))]
    except InvalidRequest as error:
        remarks.skipped("litellm_settings.max_budget", error.message)
        return []


def _prices(deployments: list[Deployment], remarks: Remarks) -> dict[str, dict[str, Any]]:
    prices: dict[str, dict[str, Any]] = {}
    for deployment in deployments:
        given = {**deployment.info, **deployment.params}
        price = {name: _per_million(given.get(theirs)) for theirs, name in PRICES.items()}
        if "*" in deployment.model or (price["input"] is None and price["output"] is None):
            continue
        if price["input"] is None or price["output"] is None:
            remarks.skipped(deployment.path, "its price: one of input and output is missing, or no price")
            continue
        sizes = {"context": given.get("max_input_tokens"), "max_output": given.get("max_output_tokens")}
        entry: dict[str, Any] = {name: value for name, value in price.items() if value is not None}
        entry |= {name: size for name, size in sizes.items() if _is_size(size)}
        if prices.setdefault(deployment.model, entry) != entry:
            remarks.skipped(deployment.path, f"its price: '{deployment.model[:64]}' has another one already")
    return prices


def _per_million(value: Any) -> int | float | None:
    """Convert the price of one token to US dollars per million tokens; None if it is no price."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    dollars = (Decimal(str(value)) * MILLION).quantize(Decimal("0.000001"))
    if dollars > MAX_DOLLARS:
        return None
    return int(dollars) if dollars == int(dollars) else float(dollars)


def _is_size(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_MODEL_TOKENS


def _report_unread(config: Mapping[str, Any], deployments: list[Deployment], remarks: Remarks) -> None:
    for deployment in deployments:
        unread = [name for name in deployment.params if name not in READ_PARAMS]
        unread += [
            f"model_info.{name}"
            for name, value in deployment.info.items()
            if name not in READ_INFO and not name.startswith("supports_") and value is not None
        ]
        if unread:
            remarks.skipped(deployment.path, ", ".join(name[:64] for name in unread[:20]))
    for section, read in READ_SETTINGS.items():
        for name in _section(config, section):
            if name not in read:
                remarks.skipped(f"{section}.{name[:64]}", REASONS.get(name, NO_COUNTERPART))
    for name in config:
        if name not in SECTIONS:
            remarks.skipped(name[:64], NO_COUNTERPART)
