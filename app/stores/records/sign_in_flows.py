"""Sign-ins to ChatGPT accounts that a person has begun and not completed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NotRequired, TypedDict


class SignInMethod(StrEnum):
    DEVICE = "device"
    BROWSER = "browser"
    IMPORT = "import"  # import of Codex's auth.json, in one step


class SignInFlowJson(TypedDict):
    """The public fields of a SignInFlow; only a device flow has a code."""

    id: str
    way: SignInMethod
    name: str
    page: str
    until: float
    user_code: NotRequired[str]
    interval_seconds: NotRequired[float]


@dataclass(frozen=True, slots=True)
class SignInFlow:
    """
    A sign-in of the account *name* by `way`, until `until` (Unix seconds).

    A person opens `page`, and for a device enters `user_code` there. `secret` is the device's id or the
    code verifier; it, `state` and `redirect_uri` are not public.
    """

    id: str
    way: SignInMethod
    name: str
    page: str
    until: float
    user_code: str = ""
    interval_seconds: float = 0.0  # shortest time between two polls
    secret: str = ""
    state: str = ""
    redirect_uri: str = ""

    def public(self) -> SignInFlowJson:
        fields: SignInFlowJson = {
            "id": self.id,
            "way": self.way,
            "name": self.name,
            "page": self.page,
            "until": self.until,
        }
        if self.way is SignInMethod.DEVICE:
            fields["user_code"] = self.user_code
            fields["interval_seconds"] = self.interval_seconds
        return fields
