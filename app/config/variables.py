"""The variable of the environment that each setting has, and the error for its value."""

from __future__ import annotations

MAX_SHOWN_CHARS = 200  # how much of a value an error shows
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


class ConfigError(Exception):
    """
    A setting is invalid. The message has the *variable*, its value, and the *accepted* values.

    Of a secret, the message has *instead*, which names its place, in place of the value.
    """

    def __init__(self, variable: str, value: object, accepted: str, *, instead: str = "") -> None:
        shown = repr(value)
        self.variable, self.accepted = variable, accepted
        self.shown = shown if len(shown) <= MAX_SHOWN_CHARS else shown[:MAX_SHOWN_CHARS] + "…"
        setting = f"{variable}: {instead}" if instead else f"{variable}={self.shown}"
        super().__init__(f"{setting} does not work: {accepted}")
