"""The proxy through which requests to one account are sent. Its password is stored apart, as a secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class OwnProxy:
    """*url* is without the password, which is '' also where the account was read without its credential."""

    url: str = ""
    has_password: bool = False
    password: str = field(default="", repr=False)  # as in a URL: percent-encoded

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
    """Return the proxy at *url*, a valid one that may have a password; '' is none."""
    if not url:
        return NO_PROXY
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    return OwnProxy(f"{parts.scheme}://{user}{at}{host}", bool(password), password)


def changed_proxy(proxy: OwnProxy, url: str) -> OwnProxy:
    """Return the proxy at *url*; that of *proxy* retains its password where *url* has none."""
    changed = proxy_of(url)
    return proxy if changed.url == proxy.url and not changed.has_password else changed


def check_readable(proxy: OwnProxy) -> None:
    """Raise InvalidRequest where the password cannot be read here."""
    if proxy.has_password and not proxy.password:
        raise InvalidRequest(
            "The password of the proxy cannot be read here: give the proxy again, or remove it", param="proxy"
        )
