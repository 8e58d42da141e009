"""Results of background queries of an account, as they are stored with it: fields `look_<job>`, JSON."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from app.accounts.failures import Failure
from app.accounts.verdicts import GONE, judge
from app.errors import (
    CredentialUnreadable,
    GatewayError,
    ResponseNotHttp,
    StreamIdleTimeout,
    UpstreamError,
    UpstreamUnreachable,
)

OK = "ok"
FAILED = "failed"  # an error without a code
# Other failures concern only the query: a server may have no list of models, or hide it from this key.
_WITHOUT_RESPONSE = (UpstreamUnreachable, StreamIdleTimeout, ResponseNotHttp)
SHOWS_NO_ANSWER = frozenset(
    {Failure.CREDENTIAL, Failure.UNREACHABLE, Failure.RESET, Failure.SLOW, Failure.BLOCKED}
    | {Failure.SERVER_ERROR, Failure.REDIRECTED}
)


@dataclass(frozen=True, slots=True)
class JobResult:
    """
    The result of a query: `code` is "ok" or an error code, `failure` its class (app.accounts.verdicts).

    `reason` is a sentence of this gateway: why there was no response in HTTP, else ''.
    """

    at: int = 0  # Unix seconds
    code: str = OK
    failure: str = ""  # empty: none, not of the upstream, or stored by an older version
    reason: str = ""

    @classmethod
    def from_json(cls, text: str | None) -> JobResult:
        """Return the result that is stored as *text*; an empty text is a success."""
        stored = orjson.loads(text or "{}")
        return cls(
            int(stored.get("at", 0)),
            str(stored.get("result", OK)),
            str(stored.get("failure", "")),
            str(stored.get("reason", "")),
        )

    def to_json(self) -> str:
        details = {"failure": self.failure, "reason": self.reason}
        known = {name: text for name, text in details.items() if text}
        return orjson.dumps({"at": self.at, "result": self.code, **known}).decode()

    @property
    def ok(self) -> bool:
        return self.code == OK

    @property
    def is_unreadable(self) -> bool:
        """Whether the process that ran the query could not decrypt the credential."""
        return self.code == CredentialUnreadable.code

    @property
    def shows_no_list(self) -> bool:
        """Whether the server answered a query for its models, but has no list, or hides it from this key."""
        return bool(self.failure) and not self.unanswered

    @property
    def unanswered(self) -> str:
        """The failure, if it shows that the account does not answer requests either, else ''."""
        return self.failure if self.reason or self.failure in SHOWS_NO_ANSWER else ""

    def shows_answer(self, unproven: str) -> bool:
        """
        Return whether this result ends the failure *unproven* of an account.

        A query that succeeds ends any; that the server responds ends only that it could not be reached.
        """
        return self.ok or (unproven == Failure.UNREACHABLE and self.shows_no_list)

    @property
    def is_credential_refused(self) -> bool:
        return self.failure == Failure.CREDENTIAL if self.failure else self.code in GONE

    @property
    def cause(self) -> str:
        """The reason as a part of a sentence, else the code."""
        return self.reason[:1].lower() + self.reason[1:] or self.code


def failed_result(error: GatewayError, kind: str, now: float) -> JobResult:
    """Return the result of a query that failed with *error* at an account of *kind*; *now*: Unix s."""
    failure = judge(error, kind).failure.value if isinstance(error, UpstreamError) else ""
    reason = error.message if isinstance(error, _WITHOUT_RESPONSE) else ""
    return JobResult(int(now), error.recorded_code or FAILED, failure, reason)
