"""Hide secrets of an account in the errors of its server: some servers quote what they refuse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.accounts.account import Account
from app.errors import UpstreamError
from app.streaming.upstream_errors import HIDDEN

_TEXTS = ("message", "type", "code", "upstream_code", "param")
MIN_CHARS = 8  # shorter secrets may also be words, or parts of other texts


def secrets_of(account: Account) -> tuple[str, ...]:
    """Return the texts that must not appear in errors of the server of *account*, longest first."""
    return tuple(sorted(set(_secrets_of(account)), key=lambda secret: (-len(secret), secret)))


def _secrets_of(account: Account) -> Iterator[str]:
    settings = account.settings
    for value in (account.credential, *settings.secret_headers.values(), settings.proxy.password):
        for piece in (value, *value.split()):  # `Bearer …` is also quoted without its scheme
            if len(piece) >= MIN_CHARS:
                yield piece


def hide_secrets(error: UpstreamError, secrets: Iterable[str]) -> UpstreamError:
    """Replace each of *secrets* in the texts of *error* by `HIDDEN`; return *error*."""
    for name in _TEXTS:
        text = shown = getattr(error, name)
        for secret in secrets if isinstance(text, str) else ():
            shown = shown.replace(secret, HIDDEN)
        if shown != text:
            setattr(error, name, shown)
    return error
