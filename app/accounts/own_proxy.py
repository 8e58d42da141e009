"""
The proxy through which requests to one account are sent.

Its password is stored separately, as a secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class OwnProxy:
    """A proxy. *url* has no password; *password* is '' also if the account was read without secrets."""

    url: str = ""
    has_password: bool = False
    password: str = field(default="", repr=False)  # percent-encoded, as in a URL

    @property
    def full_url(self) -> str:
        """The URL with the password: a secret."""
        if not self.password:
            return self.url
        scheme, _, rest = self.url.partition("://")
        user, _, host = rest.rpartition("@")
        return f"{scheme}://{user}:{self.password}@{host}"


NO_PROXY = OwnProxy()


def proxy_of(url: str) -> OwnProxy:
    """Return the proxy at *url*, which is valid and may contain a password; '' for none."""
    if not url:
        return NO_PROXY
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    return OwnProxy(f"{parts.scheme}://{user}{at}{host}", bool(password), password)


def changed_proxy(proxy: OwnProxy, url: str) -> OwnProxy:
    """Return the proxy at *url*. If that is the same proxy without a password, its password stays."""
    changed = proxy_of(url)
    return proxy if changed.url == proxy.url and not changed.has_password else changed


def check_readable(proxy: OwnProxy) -> None:
    """Raise InvalidRequest if this process cannot read the password."""
    if proxy.has_password and not proxy.password:
        raise InvalidRequest(
            "The password of the proxy cannot be read here: give the proxy again, or remove it", param="proxy"
        )
