"""
The second factor: a time-based code of six digits (TOTP), or one of ten recovery codes.

Source: https://www.rfc-editor.org/rfc/rfc6238 (its step is 30 s; one step of clock drift is accepted)
"""

from __future__ import annotations

import base64
import hmac
import io
import secrets
import time

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from app.stores.secrets import digest_of

ISSUER = "Poolgate"
SECRET_BYTES = 20  # RFC 4226, section 4: 160 bits
DIGITS = 6
STEP_SECONDS = 30
DRIFT_STEPS = 1
RECOVERY_CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without letters that look alike


def new_secret() -> str:
    """Return a random secret in base32, as authenticator apps read it."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def now() -> float:
    return time.time()


def find_step(secret: str, code: str) -> int | None:
    """Return the time step whose code is *code*, None if no step near now has it."""
    code = "".join(code.split())
    if not (len(code) == DIGITS and code.isascii() and code.isdigit()):
        return None
    current = int(now() // STEP_SECONDS)
    totp = _totp(secret)
    near = range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1)
    matches = [
        step for step in near if hmac.compare_digest(totp.generate(step * STEP_SECONDS), code.encode())
    ]
    return matches[-1] if matches else None


def provisioning_uri(secret: str, name: str) -> str:
    """Return the otpauth: URI that an authenticator app reads."""
    return _totp(secret).get_provisioning_uri(name, ISSUER)


def _totp(secret: str) -> TOTP:
    return TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_SECONDS)  # SHA-1: apps know no other


def render_qr_code(uri: str) -> str:
    """Return *uri* as the SVG element of a QR code, dark on light in every colour scheme."""
    import segno  # imported here: it takes half a MiB, and is rarely needed

    out = io.BytesIO()
    segno.make(uri, error="m").save(
        out,
        kind="svg",
        scale=5,
        border=4,
        xmldecl=False,
        svgns=True,
        light="#fff",
        dark="#000",
        title="QR code for your authenticator app",
    )
    return out.getvalue().decode()


def new_recovery_codes() -> list[str]:
    """Return codes of 74 random bits each, like `abcde-fghjk-mnpqr`."""
    return [
        "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(3))
        for _ in range(RECOVERY_CODES)
    ]


def hash_recovery_code(code: str) -> str:
    """Return the SHA-256 of a recovery code, as stored; case, spaces and dashes do not matter."""
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return digest_of(plain)
