"""How operators sign in with an identity that another service verifies."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.config.reader import EnvironmentReader, RoleRule
from app.config.variables import NAMES, ConfigError


@dataclass(frozen=True, slots=True)
class SignInSettings:
    """
    The OpenID Connect issuer and the proxy that sign operators in, and the roles that they get.

    An empty text turns off what it names.
    """

    oidc_issuer: str = ""  # URL
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    oidc_scopes: str = "openid email profile"
    oidc_groups_claim: str = "groups"
    user_header: str = ""  # header in which a proxy names the operator that it has verified
    groups_header: str = ""
    user_header_from: tuple[str, ...] = ()  # networks of that proxy, `unix` for a socket
    roles: tuple[RoleRule, ...] = ()  # roles of operators whom the issuer or the proxy signs in
    sign_out_url: str = ""  # where the sign-in at the issuer or the proxy ends

    def __post_init__(self) -> None:
        if self.oidc_issuer and not self.oidc_client_id:
            raise ConfigError(NAMES["oidc_client_id"], "", "the client id that the issuer has assigned")
        if self.user_header and not self.user_header_from:
            accepted = "the networks of the proxy that sets the header, or everyone could set it"
            raise ConfigError(NAMES["user_header_from"], "", accepted)

    @classmethod
    def read(cls, reader: EnvironmentReader) -> SignInSettings:
        """Return the settings of *reader*'s environment; raises ConfigError."""
        default = cls()
        return cls(
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
        )
