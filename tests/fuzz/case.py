"""One case: a pool, the calls that are made to it one after another, and what its upstream plays to each."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.support.gateway import PoolOfTest

Json = dict[str, Any]

ANNOUNCED = "100000"  # the content-length of upstreams that send less


@dataclass(frozen=True, slots=True)
class Call:
    """*leaves*: the client goes away after the head of the response. *endpoint*: how a response is read."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    leaves: bool = False
    endpoint: str = ""  # chat, responses, or empty: neither


@dataclass(frozen=True, slots=True)
class Play:
    """*title*: what is odd about it, a status for an error response."""

    steps: Json
    title: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A case of any kind. *name*: its kind and what its seed is made of, such as `answers 17`."""

    name: str

    def shown(self) -> str:
        """Return it as indented JSON, with bodies as text where they are."""

        def plain(value: Any) -> Any:
            if isinstance(value, bytes):
                try:
                    return value.decode()
                except UnicodeDecodeError:
                    return {"base64": base64.b64encode(value).decode()}
            return repr(value)

        return json.dumps(asdict(self), default=plain, indent=1)


@dataclass(slots=True)
class Played:
    """What came of a case. *pool*: where it was played. *faults*: what must not have been, in words."""

    pool: PoolOfTest
    statuses: list[int]
    faults: list[str]


@dataclass(frozen=True, slots=True)
class Case(Shown):
    """*kinds* of accounts: openai, chatgpt, chat or responses. *plays* are of the first one, in turn."""

    kinds: tuple[str, ...]
    key: str  # none, strict or balanced: its limits
    calls: tuple[Call, ...]
    plays: tuple[Play, ...]
    budget: int = 0  # of total tokens, where the key has limits
    nonsense: bool = True  # nothing that the upstream answers means that a person is needed
