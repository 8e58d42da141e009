"""Every environment variable with values that nobody means: it works, or one line names it."""

from __future__ import annotations

import pytest

from app.config import NAMES, ConfigError, Settings
from app.stores.client import make_client

ODD = (
    *(
        "\udcff\udcfe",
        "a\nb",
        "a\tb",
        "a\x01b",
        "\u202e",
        "１",
        "٣",
        "x" * 70_000,
        "9" * 5000,
        "0",
        "-1",
        "1e300",
    ),
    *(
        "1e999",
        "NaN",
        "inf",
        "-inf",
        "1_0",
        "0x10",
        " ",
        "/",
        "a b",
        "[",
        "[::",
        "host:99999",
        "redis://h:99999/0",
    ),
    *(
        "redis://h:-1",
        "redis://h:port",
        "redis://a b/0",
        "redis://\udcff",
        "unix://",
        "http://",
        "https://h:99999",
    ),
    *(
        "redis://",
        "ftp://h",
        "redis+sentinel://h:1,h:99999/s",
        "redis://[::1",
        "redis://:secret@h:1:2",
        "*",
        ",",
        "on:on",
    ),
)


SECRET = ("POOLGATE_SECRET_KEYS",)  # the message has the place of a value, not the value
REQUIRES = {"POOLGATE_USER_HEADER": "POOLGATE_USER_HEADER_FROM"}  # what is missing where it is set alone


@pytest.mark.parametrize("variable", sorted(NAMES.values()))
def test_each_variable(variable: str) -> None:
    for value in ODD:
        try:
            Settings.from_environment({variable: value})
        except ConfigError as error:
            message = str(error)
            named = f"{variable}: key " if variable in SECRET else REQUIRES.get(variable, variable) + "="
            assert message.startswith((f"{variable}=", named)), (value, message)
            assert message.isprintable(), (value, message)
            assert len(message) < 500, (value, message)
            assert "secret@" not in message or not variable.endswith("_URL"), message


@pytest.mark.parametrize(
    "url",
    [
        "redis://h:99999",
        "redis://a b/0",
        "redis://\udcff",
        "http://h",
        "redis://h/0?db=x",
        "redis://h/0?socket_timeout=abc",
    ],
)
def test_an_address_of_redis_that_cannot_work(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^REDIS_URL="):
        make_client(Settings.from_environment({"REDIS_URL": url}).redis_url, 1.0)
