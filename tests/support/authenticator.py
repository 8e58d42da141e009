"""An authenticator app, by another function of the library than the one that verifies its codes."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP


@dataclass(frozen=True)
class Authenticator:
    """The app of a person; *secret* is what they typed or scanned, in base32."""

    secret: str

    def at(self, seconds: float) -> str:
        """Return the code that it shows at *seconds* (Unix time)."""
        return HOTP(base64.b32decode(self.secret), 6, SHA1()).generate(int(seconds // 30)).decode()
