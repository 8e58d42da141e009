"""
The second factor: six digits of a phone's app, or one of ten recovery codes.

Source: https://www.rfc-editor.org/rfc/rfc6238 (whose step is 30 s; one step of drift is let pass)
"""

from __future__ import annotations

import hashlib
import hmac
import io
import secrets
import time

import pyotp
import segno

ISSUER = "Poolgate"
STEP_SECONDS = 30
DRIFT_STEPS = 1
RECOVERY_CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another


def new_secret() -> str:
    return pyotp.random_base32()


def now() -> float:
    return time.time()


def step_of(secret: str, code: str) -> int | None:
    """Return the time step that *code* is of, or None when it is not of one near now."""
    code = "".join(code.split())
    if not (len(code) == 6 and code.isascii() and code.isdigit()):
        return None
    here = int(now() // STEP_SECONDS)
    totp = pyotp.TOTP(secret)
    near = range(here - DRIFT_STEPS, here + DRIFT_STEPS + 1)
    fitting = [step for step in near if hmac.compare_digest(totp.generate_otp(step), code)]
    return fitting[-1] if fitting else None


def uri(secret: str, name: str) -> str:
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def picture(address: str) -> str:
    """Return *address* as the SVG element of a QR code, dark on light whatever the page's colours."""
    out = io.BytesIO()
    segno.make(address, error="m").save(
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
    """Return codes of 74 bits, as `abcde-fghjk-mnpqr`."""
    return [
        "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(3))
        for _ in range(RECOVERY_CODES)
    ]


def digest(code: str) -> str:
    """Return what is kept of a recovery code; how it was typed does not matter."""
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()
