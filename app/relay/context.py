"""One request of a client, validated, as the relay works on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.stores.records.api_keys import ApiKey
from app.tracing import Trace
from app.translation.requests.reasoning_and_format import reasoning_settings
from app.upstream.cancellation import Cancellation


@dataclass(frozen=True, slots=True)
class Caching:
    """A caller's wish to be given the same answer to the same question."""

    key: str  # theirs: answers under different ones do not meet
    seconds: float
    keeps: bool = True  # false: what was kept is given, nothing is added


@dataclass(slots=True)
class RequestContext:
    request_id: str  # ours, unique; what the client sent as x-request-id is only echoed
    surface: str  # the wire the client speaks: "chat" or "responses"
    endpoint: str  # the route, for the books
    model: str
    body: dict[str, Any]
    key: ApiKey
    cancellation: Cancellation
    stream: bool = True  # false: the client gets one object, so until its end any account may give it
    on_cut: str = "fail"  # or "restart": what to do about a stream that is cut after its first event
    sent_length: int = 0  # tokens; the length that upstreams are sent, where the caller names none
    max_output: int | None = None  # tokens; where set, an answer that provably has more is cut
    body_bytes: int = 0  # size of the request as it came: no token has fewer than one byte
    include_usage: bool = False  # chat: the client asked for the usage chunk
    keep_codex_events: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)  # of the client's, those that may pass
    ownership: str = ""  # fingerprint of what one account owns: only that one may serve it
    conversation: str = ""  # id of the stored one that it goes on with: only its key may
    affinity: str = ""
    raw: Sequence[bytes | bytearray] = ()  # pieces of the body, where it passes through untranslated
    content_type: str = "application/json"  # of `raw`
    asked: str = ""  # the model as the client named it, where that is not `model`
    kinds: str = ""  # of account that may serve it, separated by blanks; empty: all
    pin: str = ""  # id of the only account that may
    caching: Caching | None = None
    include_reasoning: bool = False  # chat: thoughts of accounts that speak Responses are told, too
    include_raw: bool = False  # the client is told what the upstream was sent, or what it said
    trace: Trace | None = None  # None: nobody wants spans
    fallbacks: tuple[RequestContext, ...] = ()  # the same request to other models, should this one fail

    @property
    def reasons(self) -> bool:
        """Whether the model was asked to think before it answers, which takes longer."""
        return reasoning_settings(self.body).get("effort") not in (None, "none")
