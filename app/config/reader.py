"""Parse and check the values of variables of the environment."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from urllib.parse import urlsplit

from app.config.variables import NAMES, ConfigError
from schemas.bounds import parse_integer, parse_number

MAX_SETTING_CHARS = 65_536  # room for hundreds of secret keys
MAX_RECORDED_MIB = 1024 * 1024
FERNET_KEY_BYTES = 32
LOOPBACK = "127.0.0.1"
ANY_ORIGIN = "*"
ANY_PERSON = "*"
ROLES = ("owner", "admin", "viewer")
RULE_KINDS = ("group", "domain", "email")
UNIX = "unix"  # stands for the peer of a Unix socket, which has no address

# A scheme, a host and an optional port, nothing else. Source: https://html.spec.whatwg.org/#origin
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_IPV6 = re.compile(r"\[[0-9a-f:.]+\]")


@dataclass(frozen=True, slots=True)
class RoleRule:
    """The role of an operator whom another service signs in, if *kind* (group, domain, email or *) fits."""

    role: str
    kind: str
    value: str = ""


class EnvironmentReader:
    """Parses and checks variables, by field name. Each method raises ConfigError."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        stripped = {name: environ.get(name, "").strip() for name in NAMES.values()}
        self.values = {name: value for name, value in stripped.items() if value}
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
                place = f"key {position} of {len(keys)}"
                raise ConfigError(NAMES[field_name], None, accepted, instead=place)
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
