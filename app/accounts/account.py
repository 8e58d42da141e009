"""The record of an account."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict

from app.accounts.failures import Failure
from app.accounts.kinds import kind_of
from app.accounts.kinds.kind import CHAT, RESPONSES
from app.accounts.request_settings import NO_SETTINGS, RequestSettings, RequestSettingsJson
from app.records import public_fields
from app.stores.records.accounts import OUT_OF_USE, AccountState

POOL_SETTING = "pool"  # used in place of an account's own setting: that of the pool applies
MAX_INDEXED = 2000  # models of a list: one of more decides nothing, as in lua/capability_index.lua
MIN_SUSPICIONS = 2  # failures in a row that suggest a fault of the account; one does not
MIN_STREAK = 5  # failures in a row that are reported although they do not change the state, such as 404
MIN_FAILING = 20  # failures in a row, without an answer in between, that need attention
_LETTERS = {CHAT: "c", RESPONSES: "r"}


class RefusedField(NamedTuple):
    """A field of requests that the server of an account has refused for a model."""

    protocol: str
    field: str
    model: str


class _AccountFields(TypedDict):
    """The fields that AccountJson takes unchanged from an Account."""

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
    """The public form of an Account, which operators see."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account at an upstream, with everything that a request to it needs."""

    id: str
    name: str
    kind: str
    base_url: str
    version: int = 0  # changes with the settings and the credential; derived values are cached by it
    protocols: tuple[str, ...] = (CHAT, RESPONSES)
    models: tuple[str, ...] = ()  # empty: any
    listed: tuple[str, ...] = ()  # the models that the upstream lists, for /v1/models
    weight: int = 1
    cap: int = 100  # maximum number of parallel requests
    group: int = 0  # for the policy `ordered`: lower groups first
    stream_upstream: str = POOL_SETTING  # always, never, auto, or that of the pool
    settings: RequestSettings = NO_SETTINGS  # settings of the requests to this account
    # What the upstream reports of each of `listed`, by model
    metadata: dict[str, Any] = field(default_factory=dict, repr=False)
    chatgpt_account_id: str = ""
    signed_in: bool = False  # it has a refresh token to renew its credential
    expires_at: int = 0  # when a sign-in's access token expires, Unix seconds; 0: unknown
    rotation: int = 0  # how often a sign-in's tokens were replaced
    credential: str = field(default="", repr=False)  # API key or access token, decrypted
    created_at: int = 0  # Unix seconds
    state: AccountState = AccountState.ACTIVE
    reason: str = ""
    since_ms: int = 0
    until_ms: int = 0
    in_flight: int = 0
    picked_ms: int = 0  # when it was last chosen for a request; 0: never
    exceeded: str = ""  # JSON of a response that was billed more than its request allowed
    # Used percent of the primary and the secondary usage window
    used: tuple[float | None, float | None] = (None, None)
    resets_ms: tuple[int, int] = (0, 0)  # when these windows end, Unix ms; 0: unknown
    window_seconds: tuple[int, int] = (0, 0)  # the lengths of these windows; 0: unknown
    attempts: int = 0  # number of requests sent to it
    failed_attempts: int = 0  # attempts that failed because of the account
    rescues: int = 0  # failed attempts after which another account answered
    # Number by `Failure`, including failures caused by requests
    failures: dict[str, int] = field(default_factory=dict)
    failures_in_a_row: int = 0  # how many of its newest attempts failed
    suspicions: int = 0  # number of newest attempts that gave reason for suspicion; 0 during a test
    latest_failure: str = ""  # the `Failure` of the newest failed attempt
    is_unreadable: bool = False  # whether the job `models` of a gateway could not decrypt its credential
    has_answered: bool = False  # whether it has ever listed its models, or answered a request
    unproven: str = ""  # `Failure` by which it has not answered: it is selected last until it does
    refused: tuple[RefusedField, ...] = ()  # fields that its server refuses, learned from errors
    unknown_usage: tuple[str, ...] = ()  # names in a usage of its server that has no known count
    unknown_usage_at: int = 0  # when that usage was reported, Unix seconds
    remarks: tuple[str, ...] = ()  # sentences about its addition; only in the result of that

    def refused_by(self, protocol: str, model: str) -> tuple[str, ...]:
        """Return the fields of *protocol* that are omitted from requests for *model*."""
        return tuple(each.field for each in self.refused if each.model == model and each.protocol == protocol)

    @property
    def persistent_failure(self) -> str:
        """The `Failure` of its last MIN_STREAK or more attempts while it stays in use, else ''."""
        is_failing = self.state == AccountState.ACTIVE and self.failures_in_a_row >= MIN_STREAK
        return self.latest_failure if is_failing else ""

    @property
    def is_failing(self) -> bool:
        """
        Whether its last MIN_FAILING or more attempts failed, and it is not out of use for longer.

        Models that it lacks do not count: callers may invent names.
        """
        is_used = self.state in (AccountState.ACTIVE, AccountState.SUSPECTED)
        has_streak = self.failures_in_a_row >= MIN_FAILING
        return is_used and has_streak and self.latest_failure != Failure.MODEL_MISSING

    @property
    def stays_in_use(self) -> bool:
        """Whether it stays in use despite failures, because no other account can take its place."""
        return self.state == AccountState.ACTIVE and self.suspicions >= MIN_SUSPICIONS

    @property
    def owned_by(self) -> str:
        """The owner of this account's models in a model list."""
        return kind_of(self).owned_by or self.kind

    @property
    def served_models(self) -> tuple[str, ...]:
        """The models that it may serve, including those with an own name at its upstream; empty: any."""
        names = self.settings.model_names
        return tuple(dict.fromkeys((*self.models, *names))) if self.models and names else self.models

    @property
    def offered_models(self) -> tuple[str, ...]:
        """The models to list: those that it may serve or, if it may serve any, those that are known."""
        return self.served_models or tuple(dict.fromkeys((*self.listed, *self.settings.model_names)))

    def may_have(self, model: str) -> bool:
        """Return whether it may serve *model*; while its models are unknown it may serve any."""
        names = self.models or self.listed  # `offered_models` would be a new tuple for each call
        return model in names or model in self.settings.model_names or not self.has_known_models

    @property
    def has_known_models(self) -> bool:
        """Whether its models are restricted, or its upstream has listed what it serves: up to MAX_INDEXED."""
        return bool(self.models) or (
            0 < len(self.listed) <= MAX_INDEXED and kind_of(self).lists_what_it_serves
        )

    def metadata_of(self, model: str) -> Any:
        """Return what the upstream reports about *model*, a name that callers use; None: nothing."""
        return self.metadata.get(self.settings.model_names.get(model, model))

    @property
    def offer(self) -> str:
        """The offer, shared by accounts with equal parts: `<protocols>:<kind>:<hash of models>`."""
        letters = "".join(_LETTERS[protocol] for protocol in sorted(self.protocols))
        models = hashlib.sha256("\n".join(sorted(self.served_models)).encode()).hexdigest()[:12]
        return f"{letters}:{self.kind}:{models if self.models else 'any'}"

    def public(self) -> AccountJson:
        """Return the fields that operators may see: all except secrets."""
        fields = public_fields(self, _AccountFields, wires="protocols")
        return {**fields, **self.settings.public()}


def demo_serves(accounts: Iterable[Account]) -> bool:
    """Return whether demo accounts of *accounts* serve: until another that is in use has answered."""
    return not any(
        account.has_answered and account.state not in OUT_OF_USE and not kind_of(account).is_simulated
        for account in accounts
    )
