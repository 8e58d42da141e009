"""The names of API keys and accounts, by their ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.accounts.accounts import AccountRepository
from app.errors import InvalidRequest
from app.formatting import NamedId, name_or_id
from app.stores.api_keys import ApiKeyRepository
from app.suggestions import suggestion

_PREFIXES = {"key": "key_", "account": "acct_"}


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the keys and accounts of a pool, by id."""

    key: Mapping[str, str]
    account: Mapping[str, str]

    @classmethod
    def read(cls, pool: str, api_keys: ApiKeyRepository, accounts: AccountRepository) -> Names:
        """Read the names. Two round trips."""
        return cls(api_keys.names_by_id(pool), accounts.names_by_id(pool))

    def of(self, noun: str) -> Mapping[str, str]:
        """Return {id: name} for *noun* `key` or `account`; {} for other nouns, which have no names."""
        return {"key": self.key, "account": self.account}.get(noun, {})

    def id_of(self, noun: str, text: str, *, param: str = "") -> str:
        """
        Return the id of the *noun* (`key` or `account`) called *text*; an id or '' is returned unchanged.

        Raises InvalidRequest with *param*, or else *noun*.
        """
        named_id = next((object_id for object_id, name in self.of(noun).items() if name == text), None)
        if named_id is not None or not text or text.startswith(_PREFIXES[noun]):
            return named_id or text
        similar = suggestion(text, self.of(noun).values())
        raise InvalidRequest(f"There is no {noun} named '{text[:64]}'{similar}", param=param or noun)

    def named(self, noun: str, object_id: str) -> NamedId:
        """Return the id and the name of the *noun* with *object_id*."""
        return {"id": object_id, "name": self.of(noun).get(object_id)}

    def label(self, noun: str, object_id: str) -> str:
        """Return the name of the *noun* with *object_id*, or `<id> (removed)`; '' without an id."""
        return name_or_id(self.named(noun, object_id)) if object_id else ""
