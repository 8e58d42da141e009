"""Variables that the environment may have, and the errors for other values."""

from __future__ import annotations

import base64
import dataclasses
from pathlib import Path

import pytest

from app.config import MIB, NAMES, ConfigError, RoleRule, Settings, SignInSettings, TimeLimits

# the same in every xdist worker, which must collect tests of the same names
KEY, OLDER = (base64.urlsafe_b64encode(letter * 32).decode() for letter in (b"a", b"b"))


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        (
            "REDIS_URL",
            "rediss://:pw@h:6380/0?ssl_cert_reqs=none",
            "redis_url",
            "rediss://:pw@h:6380/0?ssl_cert_reqs=none",
        ),
        ("REDIS_URL", "unix:///run/redis.sock", "redis_url", "unix:///run/redis.sock"),
        ("REDIS_URL", "redis+sentinel://a,b/mymaster/0", "redis_url", "redis+sentinel://a,b/mymaster/0"),
        ("REDIS_URL", "redis+cluster://a:7000", "redis_url", "redis+cluster://a:7000"),
        ("REDIS_URL", "redis+sentinel://u:p@a:1,b:2/m", "redis_url", "redis+sentinel://u:p@a:1,b:2/m"),
        ("REDIS_URL", "redis://:pw@[::1]:6379/0", "redis_url", "redis://:pw@[::1]:6379/0"),
        ("POOLGATE_SLOW_CLIENT_SECONDS", "5", "slow_client_seconds", 5.0),
        ("POOLGATE_METRICS_TOKEN", "t", "metrics_token", "t"),
        ("POOLGATE_METRICS_KEYS", "200", "metrics_keys", 200),
        ("POOLGATE_HOME", "/srv/pool", "home", Path("/srv/pool")),
        ("POOLGATE_HOME", "~/pool", "home", Path.home() / "pool"),
        ("REDIS_SERVER", "/usr/bin/redis-server", "redis_server", "/usr/bin/redis-server"),
        ("POOLGATE_BIND", "::1", "bind", "::1"),
        ("PORT", "9000", "port", 9000),
        ("WEB_CONCURRENCY", "4", "web_concurrency", 4),
        ("GRACEFUL_TIMEOUT", "120", "graceful_timeout_seconds", 120),
        ("POOLGATE_SECRET_KEYS", f"{KEY}, {OLDER},", "secret_keys", (KEY, OLDER)),
        (
            "POOLGATE_CHATGPT_BASE_URL",
            "http://127.0.0.1:1/api/",
            "chatgpt_base_url",
            "http://127.0.0.1:1/api",
        ),
        ("POOLGATE_OAUTH_ISSUER", "https://auth.test", "oauth_issuer", "https://auth.test"),
        (
            "OPENAI_BASE_URL",
            "https://eu.api.openai.com/v1/",
            "openai_base_url",
            "https://eu.api.openai.com/v1",
        ),
        ("POOLGATE_ORIGINATOR", "acme", "originator", "acme"),
        ("POOLGATE_USER_AGENT", "acme/2", "user_agent", "acme/2"),
        ("POOLGATE_LOG_LEVEL", "DEBUG", "log_level", "debug"),
        ("POOLGATE_MAX_BODY_MIB", "8", "max_body_bytes", 8 * MIB),
        ("POOLGATE_MAX_BODY_MIB", "8", "max_responses_body_bytes", 32 * MIB),
        ("POOLGATE_IDEMPOTENCY", "8", "max_recorded_bytes", 8 * MIB),
        ("POOLGATE_IDEMPOTENCY", "ON", "max_recorded_bytes", 256 * MIB),
        ("POOLGATE_IDEMPOTENCY", "off", "max_recorded_bytes", 0),
        ("POOLGATE_ADMIN", "OFF", "admin", "off"),
        ("POOLGATE_ADMIN", "on", "admin_port", None),
        ("POOLGATE_ADMIN", "9000", "admin", "127.0.0.1:9000"),
        ("POOLGATE_ADMIN", "10.0.0.1:9000", "admin", "10.0.0.1:9000"),
        ("POOLGATE_ADMIN", "[::1]:9000", "admin", "[::1]:9000"),
        ("POOLGATE_ADMIN", "[::1]:9000", "admin_port", 9000),
        ("POOLGATE_CORS_ORIGINS", "*", "cors_origins", ("*",)),
        ("POOLGATE_CORS_ORIGINS", "OFF", "cors_origins", ()),
        (
            "POOLGATE_CORS_ORIGINS",
            "https://App.example.com, http://localhost:3000,",
            "cors_origins",
            ("https://app.example.com", "http://localhost:3000"),
        ),
        ("POOLGATE_WEBSOCKET", "ON", "websocket", "on"),
        ("POOLGATE_WEBSOCKETS_PER_KEY", "5", "websockets_per_key", 5),
        ("POOLGATE_WEBSOCKET_IDLE_SECONDS", "2", "websocket_idle_seconds", 2.0),
        ("POOLGATE_WEBSOCKET_AGE_SECONDS", "2", "websocket_age_seconds", 2.0),
        ("POOLGATE_STORE_TIMEOUT_MS", "500", "store_timeout_seconds", 0.5),
    ],
)
def test_a_variable_sets_its_field(variable, value, field, expected):
    settings = Settings.from_environment({variable: value})

    assert getattr(settings, field) == expected


def test_the_request_timeout_is_the_deadline_over_all():
    assert Settings.from_environment({"POOLGATE_REQUEST_TIMEOUT": "90.5"}).limits.total == 90.5


@pytest.mark.parametrize(
    "environ", [{}, dict.fromkeys(NAMES.values(), ""), dict.fromkeys(NAMES.values(), " ")]
)
def test_unset_and_empty_both_mean_the_default(environ):
    """`VAR=` in an env file means nothing was chosen."""
    settings = Settings.from_environment(environ)

    assert settings == dataclasses.replace(Settings(), user_agent=settings.user_agent)
    assert settings.user_agent.startswith("poolgate/")


@pytest.mark.parametrize(
    ("variable", "value", "accepted"),
    [
        ("REDIS_URL", "localhost:6379", "redis://"),
        ("REDIS_URL", "redis://", "redis://"),
        ("REDIS_URL", "redis://h:notaport", "a port in it is a number"),
        ("REDIS_URL", "redis://:pass@h:99999/0", "a port in it is a number"),
        ("REDIS_URL", "redis+sentinel://a:26379,b:x/mymaster", "a port in it is a number"),
        ("PORT", "http", "from 1 to 65535"),
        ("PORT", "70000", "from 1 to 65535"),
        ("WEB_CONCURRENCY", "0", "from 1 to 256"),
        ("WEB_CONCURRENCY", "2.5", "a whole number"),
        ("GRACEFUL_TIMEOUT", "-1", "a whole number"),
        ("POOLGATE_CHATGPT_BASE_URL", "chatgpt.com", "https://"),
        ("OPENAI_BASE_URL", "http://[", "https://"),
        ("POOLGATE_USER_AGENT", "a\nb", "printable"),
        ("POOLGATE_LOG_LEVEL", "loud", "debug, info, warning, error"),
        ("POOLGATE_MAX_BODY_MIB", "lots", "a whole number"),
        ("POOLGATE_IDEMPOTENCY", "0", "on, off, or a whole number of MiB"),
        ("POOLGATE_IDEMPOTENCY", "1_0", "on, off, or a whole number of MiB"),
        ("POOLGATE_CORS_ORIGINS", "app.example.com", "`off`, or origins"),
        ("POOLGATE_CORS_ORIGINS", "https://a.test/path", "`off`, or origins"),
        ("POOLGATE_STORE_TIMEOUT_MS", "5", "from 10 to 5000"),
        ("POOLGATE_ADMIN", "maybe", "on, off, PORT or HOST:PORT"),
        ("POOLGATE_ADMIN", "0", "on, off, PORT or HOST:PORT"),
        ("POOLGATE_ADMIN", "::1:9000", "on, off, PORT or HOST:PORT"),
        ("POOLGATE_ADMIN", "a b:9000", "on, off, PORT or HOST:PORT"),
        ("POOLGATE_ADMIN", "8000", "a port other than PORT"),
        ("POOLGATE_KEY_PAGE", "maybe", "one of on, off"),
        ("POOLGATE_ROLES", "king=*", "rules such as"),
        ("POOLGATE_ROLES", "owner=group:", "rules such as"),
        ("POOLGATE_ROLES", "owner=*; viewer", "rules such as"),
        ("POOLGATE_USER_HEADER", "X_User", "the name of a header"),
        ("POOLGATE_USER_HEADER_FROM", "10.0.0.0/33", "addresses or networks"),
        ("POOLGATE_USER_HEADER_FROM", "proxy", "addresses or networks"),
        ("POOLGATE_OIDC_ISSUER", "accounts.example.com", "a URL"),
        ("POOLGATE_REQUEST_TIMEOUT", "nan", "a number"),
        ("POOLGATE_REQUEST_TIMEOUT", "2", "5 seconds of connecting"),
    ],
)
def test_a_bad_value_is_named_with_what_is_accepted(variable, value, accepted):
    with pytest.raises(ConfigError) as error:
        Settings.from_environment({variable: value})

    assert str(error.value).startswith(f"{variable}=")
    assert accepted in str(error.value)


def test_every_variable_is_a_field():
    fields = {
        field.name for kind in (Settings, SignInSettings, TimeLimits) for field in dataclasses.fields(kind)
    }

    assert set(NAMES) <= fields
    assert len(NAMES) <= 39  # a third of them is about single sign-on, which is off by default


class TestBind:
    def test_only_this_machine_by_default(self):
        assert Settings.from_environment({}).bind == "127.0.0.1"

    def test_every_address_where_a_platform_gives_the_port(self):
        """Heroku's router connects from another machine, and sets PORT."""
        assert Settings.from_environment({"PORT": "5000"}).bind == "0.0.0.0"

    def test_an_explicit_address_wins_over_the_platform(self):
        assert Settings.from_environment({"PORT": "5000", "POOLGATE_BIND": "127.0.0.1"}).bind == "127.0.0.1"


class TestSecrets:
    def test_a_broken_key_is_counted_not_shown(self):
        with pytest.raises(ConfigError, match="POOLGATE_SECRET_KEYS: key 2 of 2 does not work") as error:
            Settings.from_environment({"POOLGATE_SECRET_KEYS": f"{KEY},{OLDER[:-2]}"})

        assert OLDER[:-2] not in str(error.value)

    def test_the_password_of_a_bad_url_is_not_shown(self):
        with pytest.raises(ConfigError) as error:
            Settings.from_environment({"REDIS_URL": "http://user:hunter2@host"})

        assert "hunter2" not in str(error.value)

    def test_neither_keys_nor_url_are_in_the_repr(self):
        settings = Settings.from_environment({"POOLGATE_SECRET_KEYS": KEY, "REDIS_URL": "redis://:hunter2@h"})

        assert KEY not in repr(settings)
        assert "hunter2" not in repr(settings)


class TestRelations:
    @pytest.mark.parametrize(
        ("kind", "values"),
        [
            (Settings, {"lease_renew_seconds": 15.0}),
            (Settings, {"lease_renew_seconds": 0.0}),
            (Settings, {"store_timeout_seconds": 10.0}),
            (TimeLimits, {"idle": 121.0}),
            (TimeLimits, {"first_progress": 61.0}),
            (TimeLimits, {"keepalive": 0.0}),
            (TimeLimits, {"total": 4.0}),
        ],
    )
    def test_times_that_contradict_each_other_are_refused(self, kind, values):
        with pytest.raises(ConfigError):
            kind(**values)


class TestSingleSignOn:
    def test_rules(self):
        """A group may have any character but a semicolon: names of LDAP have commas and equals signs."""
        text = "owner=group:cn=ops,dc=example; viewer = domain:example.com ;admin=email:a@b.test;viewer=*;"

        assert Settings.from_environment({"POOLGATE_ROLES": text}).sign_in.roles == (
            RoleRule("owner", "group", "cn=ops,dc=example"),
            RoleRule("viewer", "domain", "example.com"),
            RoleRule("admin", "email", "a@b.test"),
            RoleRule("viewer", "*"),
        )

    def test_an_issuer_needs_a_client(self):
        with pytest.raises(ConfigError, match="POOLGATE_OIDC_CLIENT_ID"):
            Settings.from_environment({"POOLGATE_OIDC_ISSUER": "https://id.example.com"})

    def test_a_header_needs_the_networks_of_its_proxy(self):
        with pytest.raises(ConfigError, match="POOLGATE_USER_HEADER_FROM"):
            Settings.from_environment({"POOLGATE_USER_HEADER": "X-Forwarded-User"})

    def test_the_secret_is_not_in_the_error(self):
        with pytest.raises(ConfigError) as error:
            Settings.from_environment({"POOLGATE_OIDC_CLIENT_SECRET": "sécret"})
        assert "cret" not in str(error.value).replace("SECRET", "")
