"""The password of a proxy is apart from its URL."""

from __future__ import annotations

import pytest

from app.accounts.own_proxy import NO_PROXY, OwnProxy, changed_proxy, proxy_of


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", NO_PROXY),
        ("http://h", OwnProxy("http://h")),
        ("http://ann@h:1", OwnProxy("http://ann@h:1")),
        ("socks5h://ann:p%40w@[::1]:1", OwnProxy("socks5h://ann@[::1]:1", True, "p%40w")),
        ("http://ann:p:w@h", OwnProxy("http://ann@h", True, "p:w")),
    ],
)
def test_parts(url: str, expected: OwnProxy) -> None:
    assert proxy_of(url) == expected
    assert proxy_of(url).full_url == url
    assert "p%40w" not in repr(proxy_of(url))


def test_the_password_stays_with_its_address() -> None:
    proxy = proxy_of("http://ann:secret@h:1")

    assert changed_proxy(proxy, "http://ann@h:1") is proxy
    assert changed_proxy(proxy, "http://ann:newer@h:1").password == "newer"
    for other in ("http://ann@h:2", "http://bob@h:1", "https://ann@h:1", ""):
        assert not changed_proxy(proxy, other).has_password
