"""
The settings, read once from environment variables and passed down.

`NAMES` lists all variables; the page of settings in the guide has the same table.
"""

from __future__ import annotations

from app.config.reader import ANY_ORIGIN, ANY_PERSON, UNIX, RoleRule
from app.config.settings import MIB, Settings, package_version
from app.config.sign_in import SignInSettings
from app.config.time_limits import MAX_TIME_LIMIT_SECONDS, TimeLimits
from app.config.variables import NAMES, ConfigError

__all__ = [
    "ANY_ORIGIN",
    "ANY_PERSON",
    "MAX_TIME_LIMIT_SECONDS",
    "MIB",
    "NAMES",
    "UNIX",
    "ConfigError",
    "RoleRule",
    "Settings",
    "SignInSettings",
    "TimeLimits",
    "package_version",
]
