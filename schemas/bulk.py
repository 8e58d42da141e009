"""Bodies of admin API calls that change several accounts, keys or teams."""

from __future__ import annotations

from typing import Any

from marshmallow import validates_schema
from marshmallow.fields import Nested
from marshmallow.validate import OneOf

from schemas.accounts import AccountInput
from schemas.api_keys import KeyChange
from schemas.fields import Flag, Text
from schemas.names import AdminSchema, Names
from schemas.teams import TeamChange
from schemas.validation_errors import invalid

MAX_BULK = 1000  # objects per call; each takes the store some milliseconds


class BulkInput(AdminSchema):
    """The action `do` is applied to each of `names`; `fields` has the new values of the action `change`."""

    names = Names(MAX_BULK, required=True)

    @validates_schema
    def _check_fields(self, values: dict[str, Any], **_: Any) -> None:
        if not values["names"]:
            raise invalid("must have at least one name", "names")
        fields, is_change = values.get("fields"), values["do"] == "change"
        if is_change and not fields:
            raise invalid("must have at least one field to change", "fields")
        if fields and not is_change:
            raise invalid("is only accepted where do is `change`", "fields")


def _one_of(*actions: str) -> Text:
    return Text(required=True, validate=OneOf(actions, error=f"must be one of {', '.join(actions)}"))


class KeyBulk(BulkInput):
    do = _one_of("disable", "enable", "change", "remove")
    fields_ = Nested(KeyChange, data_key="fields", attribute="fields")


class AccountBulk(BulkInput):
    """With `force`, accounts are removed even if keys are restricted to them."""

    do = _one_of("pause", "resume", "change", "remove")
    force = Flag(load_default=False)
    fields_ = Nested(
        lambda: AccountInput(only=("weight", "group", "cap"), partial=True),
        data_key="fields",
        attribute="fields",
    )


class TeamBulk(BulkInput):
    do = _one_of("disable", "enable", "change", "remove")
    fields_ = Nested(TeamChange, data_key="fields", attribute="fields")
