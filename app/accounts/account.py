"""One account, as a record."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypedDict

import orjson

from app.accounts.kinds import kind_of
from app.accounts.kinds.kind import CHAT, RESPONSES
from app.accounts.oauth_tokens import tokens_from
from app.accounts.request_settings import NO_SETTINGS, RequestSettings, RequestSettingsJson, settings_from
from app.records import public_fields
from app.stores.records.accounts import FAILURE_PREFIX, OUT_OF_USE, REFUSED_PREFIX, AccountState

POOL_SETTING = "pool"  # in place of a setting of its own
MIN_SUSPICIONS = 2  # failures in a row that are evidence against an account; a single one is none
MIN_STREAK = 5  # failures in a row of an account that no failure takes out, such as a 404
_LETTERS = {CHAT: "c", RESPONSES: "r"}


class RefusedField(NamedTuple):
    """A field of requests that the server of an account has refused for a model."""

    protocol: str
    field: str
    model: str


class _AccountFields(TypedDict):
    """The fields of an Account itself that operators may see, by their names."""

    id: str
    name: str
    kind: str
    base_url: str
    wires: tuple[str, ...]
    models: tuple[str, ...]
    weight: int
    cap: int
    group: int
    stream_upstream: str
    state: AccountState
    reason: str
    since_ms: int
    until_ms: int
    in_flight: int
    attempts: int
    failed_attempts: int
    rescues: int
    failures: dict[str, int]
    unknown_usage: tuple[str, ...]
    unknown_usage_at: int


class AccountJson(_AccountFields, RequestSettingsJson):
    """What operators may see of an Account."""


@dataclass(frozen=True, slots=True)
class Account:
    """An upstream identity we own, as a request needs it."""

    id: str
    name: str
    kind: str
    base_url: str
    version: int = 0  # changes with the credential: values derived from it are cached by version
    protocols: tuple[str, ...] = (CHAT, RESPONSES)
    models: tuple[str, ...] = ()  # empty: any
    listed: tuple[str, ...] = ()  # the models that the upstream lists; only for /v1/models
    weight: int = 1
    cap: int = 100  # parallel requests
    group: int = 0  # for the policy `ordered`: lower groups first
    stream_upstream: str = POOL_SETTING  # as the setting of the pool, in place of that
    settings: RequestSettings = NO_SETTINGS  # of the requests that it is sent
    metadata: dict[str, Any] = field(default_factory=dict, repr=False)  # of `listed`, by model
    chatgpt_account_id: str = ""
    signed_in: bool = False  # its credential expires, and there is a refresh token to renew it with
    expires_at: int = 0  # of a sign-in's credential, Unix seconds; 0: unknown
    rotation: int = 0  # how often a sign-in's tokens were replaced
    credential: str = field(default="", repr=False)  # API key or access token, in clear
    created_at: int = 0  # Unix seconds
    state: AccountState = AccountState.ACTIVE
    reason: str = ""
    since_ms: int = 0
    until_ms: int = 0
    in_flight: int = 0
    exceeded: str = ""  # JSON of a response that was billed more than its request allowed
    used: tuple[float | None, float | None] = (None, None)  # percent of the two usage windows
    resets_ms: tuple[int, int] = (0, 0)  # when they end, Unix ms; 0: unknown
    window_seconds: tuple[int, int] = (0, 0)  # their lengths; 0: unknown
    attempts: int = 0  # requests sent to it, ever
    failed_attempts: int = 0  # attempts that failed because of the account
    rescues: int = 0  # of those, the ones after which another account answered
    failures: dict[str, int] = field(default_factory=dict)  # by `Failure`, the request's own too
    failures_in_a_row: int = 0  # how many of its newest attempts failed
    suspicions: int = 0  # how many of its newest attempts were a reason to suspect it; 0 while it is tested
    latest_failure: str = ""  # the `Failure` of the newest one
    unproven: str = ""  # the `Failure` of its newest test, if it has not answered since: it comes last
    refused: tuple[RefusedField, ...] = ()  # learned from its server's errors
    unknown_usage: tuple[str, ...] = ()  # the names in a usage of its server that is not understood
    unknown_usage_at: int = 0  # when it was reported, Unix seconds

    def refused_by(self, protocol: str, model: str) -> tuple[str, ...]:
        """Return the fields of *protocol* that requests for *model* are sent without."""
        return tuple(each.field for each in self.refused if each.model == model and each.protocol == protocol)

    @property
    def persistent_failure(self) -> str:
        """The `Failure` of its newest attempts while it stays in use, '' unless there are MIN_STREAK."""
        is_failing = self.state == AccountState.ACTIVE and self.failures_in_a_row >= MIN_STREAK
        return self.latest_failure if is_failing else ""

    @property
    def stays_in_use(self) -> bool:
        """Whether it would be out of use for its failures, were there others that could take its place."""
        return self.state == AccountState.ACTIVE and self.suspicions >= MIN_SUSPICIONS

    @property
    def owned_by(self) -> str:
        """The owner of this account's models in a model list."""
        return kind_of(self).owned_by or self.kind

    @property
    def served_models(self) -> tuple[str, ...]:
        """The models that it may serve, those with a name of its upstream included; empty: any."""
        names = self.settings.model_names
        return tuple(dict.fromkeys((*self.models, *names))) if self.models and names else self.models

    @property
    def offered_models(self) -> tuple[str, ...]:
        """The models in lists: those that it may serve or, where that is any, those that are known."""
        return self.served_models or tuple(dict.fromkeys((*self.listed, *self.settings.model_names)))

    def may_have(self, model: str) -> bool:
        """Return whether it may serve *model*; where its models are not known yet, that is any."""
        return model in self.offered_models or not self.has_known_models

    @property
    def has_known_models(self) -> bool:
        """Whether its models are restricted, or its upstream has listed them."""
        return bool(self.models or self.listed)

    def metadata_of(self, model: str) -> Any:
        """Return what the upstream reports of *model*, a name of callers; None: nothing."""
        return self.metadata.get(self.settings.model_names.get(model, model))

    @property
    def offer(self) -> str:
        """What accounts must share to stand in one index: `<protocols>:<kind>:<hash of models>`."""
        letters = "".join(_LETTERS[protocol] for protocol in sorted(self.protocols))
        models = hashlib.sha256("\n".join(sorted(self.served_models)).encode()).hexdigest()[:12]
        return f"{letters}:{self.kind}:{models if self.models else 'any'}"

    def public(self) -> AccountJson:
        """Return the fields that operators may see: all that is not secret."""
        fields = public_fields(self, _AccountFields, wires="protocols")
        return {**fields, **self.settings.public()}


def demo_serves(accounts: Iterable[Account]) -> bool:
    """Return whether a demo account among *accounts* serves: only while no other one is in use."""
    return all(kind_of(account).is_simulated or account.state in OUT_OF_USE for account in accounts)


def account_from(fields: Mapping[str, str], unseal: Callable[[str], str]) -> Account:
    """Return the account that a stored hash describes."""
    integer = partial(_integer, fields)

    def percent(name: str) -> float | None:
        return float(fields[name]) if fields.get(name) else None

    sign_in = unseal(fields.get("sign_in", ""))
    return Account(
        id=fields["id"],
        name=fields["name"],
        kind=fields["kind"],
        base_url=fields["base_url"],
        version=integer("version"),
        protocols=tuple(fields["wires"].split(",")),
        models=tuple(orjson.loads(fields.get("models") or "[]")),
        listed=tuple(orjson.loads(fields.get("listed") or "[]")),
        weight=integer("weight", 1),
        cap=integer("cap", 100),
        group=integer("group"),
        stream_upstream=fields.get("stream_upstream") or POOL_SETTING,
        settings=settings_from(fields.get("settings", ""), unseal(fields.get("secrets", ""))),
        metadata=orjson.loads(fields.get("metadata") or "{}"),
        chatgpt_account_id=fields.get("chatgpt_account_id", ""),
        signed_in="sign_in" in fields,
        expires_at=integer("expires_ms") // 1000,
        rotation=integer("rotation"),
        credential=tokens_from(sign_in).access_token if sign_in else unseal(fields.get("credential", "")),
        created_at=integer("created_ms") // 1000,
        state=AccountState(fields.get("state", AccountState.ACTIVE)),
        reason=fields.get("reason", ""),
        since_ms=integer("since_ms"),
        until_ms=integer("until_ms"),
        in_flight=integer("in_flight"),
        exceeded=fields.get("exceeded", ""),
        used=(percent("used_1"), percent("used_2")),
        resets_ms=(integer("reset_1"), integer("reset_2")),
        window_seconds=(integer("length_1"), integer("length_2")),
        attempts=integer("attempts"),
        failed_attempts=integer("failed_attempts"),
        rescues=integer("rescues"),
        failures=_failures(fields),
        failures_in_a_row=failures_in_a_row(fields),
        suspicions=0 if fields.get("probe", "0") != "0" else integer("errors"),
        latest_failure=fields.get("streak_of", ""),
        unproven=fields.get("unproven", ""),
        refused=_refused_fields(fields),
        unknown_usage=tuple(orjson.loads(fields.get("unknown_usage") or "[]")),
        unknown_usage_at=integer("unknown_usage_at"),
    )


def failures_in_a_row(fields: Mapping[str, str]) -> int:
    """Return how many of its newest attempts failed in a row, as lua/attempts.lua counts them."""
    attempts, unanswered, streak, answered = (
        _integer(fields, name) for name in ("attempts", "unanswered", "streak", "streak_ok")
    )
    return streak if attempts - unanswered == answered else 0


def _integer(fields: Mapping[str, str], name: str, default: int = 0) -> int:
    return int(float(fields.get(name) or default))


def _failures(fields: Mapping[str, str]) -> dict[str, int]:
    return {
        name.removeprefix(FAILURE_PREFIX): _integer(fields, name)
        for name in fields
        if name.startswith(FAILURE_PREFIX)
    }


def _refused_fields(names: Iterable[str]) -> tuple[RefusedField, ...]:
    return tuple(
        RefusedField(*name.removeprefix(REFUSED_PREFIX).split(":", 2))
        for name in sorted(names)
        if name.startswith(REFUSED_PREFIX) and name.count(":") >= 3
    )
