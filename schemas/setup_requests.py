"""Bodies and query parameters of admin API calls that apply, dump and import set-ups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow.validate import OneOf

from schemas.admin import PoolQuery
from schemas.bounds import MAX_CREDENTIAL_CHARS
from schemas.fields import Json, Object, Text
from schemas.names import AdminSchema, Name
from schemas.setup_document import NOT_A_VARIABLE, VARIABLE
from schemas.validation_errors import invalid

MAX_SECRETS = 10_000
TRUE, FALSE = ("true", "1"), ("false", "0")
FORMATS = ("json", "yaml")


class DryRun(Text):
    """`true` or `1`, `false` or `0`, in a query string."""

    def __init__(self, **more: Any) -> None:
        super().__init__(
            validate=OneOf((*TRUE, *FALSE), error="must be true or false"), load_default="false", **more
        )


class ApplyQuery(PoolQuery):
    dry_run = DryRun()


class DumpQuery(PoolQuery):
    format = Text(load_default="json", validate=OneOf(FORMATS, error="must be json or yaml"))


class Document(Json):
    """A document: an object, or YAML as text."""

    types, expected = (dict, str), "an object, or a text in YAML"


class Secrets(Object):
    """`{name of an environment variable: value}`, in place of an environment."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        secrets = super()._deserialize(value, attr, data)
        if len(secrets) > MAX_SECRETS:
            raise invalid(f"must have at most {MAX_SECRETS} entries")
        for name, secret in secrets.items():
            if VARIABLE.match(name) is None:
                raise invalid(NOT_A_VARIABLE, name[:64])
            if type(secret) is not str or len(secret) > MAX_CREDENTIAL_CHARS:
                raise invalid(f"must be a string of at most {MAX_CREDENTIAL_CHARS} characters", name)
        return secrets


class Listed(Json):
    """A list, or an object that contains one: `{"keys": […]}`."""

    types, expected = (dict, list), "a list of objects"


class ApplyInput(AdminSchema):
    document = Document(required=True)
    secrets = Secrets(load_default=dict)


class LiteLLMInput(AdminSchema):
    config = Document(required=True)  # the content of config.yaml
    keys = Listed()  # the response of GET /key/list?return_full_object=true
    teams = Listed()  # the response of GET /team/list
    secrets = Secrets(load_default=dict)


class SignInsInput(AdminSchema):
    content = Listed(required=True)  # the content of a file of another program
    name = Name()  # the name of an account that has none in the file
