"""The names of API keys and accounts, by their ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from app.accounts.accounts import AccountRepository
from app.errors import InvalidRequest
from app.formatting import NamedId, name_or_id, named_id
from app.ledger.sums import Grouping
from app.stores.api_keys import ApiKeyRepository
from app.stores.records.teams import Team
from app.suggestions import suggestion

NAMED = Grouping.KEY, Grouping.ACCOUNT, Grouping.TEAM  # groupings by objects that can be removed
_PREFIXES = {"key": "key_", "account": "acct_"}


@dataclass(frozen=True, slots=True)
class Names:
    """
    The names of the keys and accounts of a pool, by id; `former` are those of removed ones.

    `teams` are the names of its teams, None where they were not read.
    """

    key: Mapping[str, str]
    account: Mapping[str, str]
    former: Mapping[str, str] = field(default_factory=dict)
    teams: frozenset[str] | None = None

    @classmethod
    def read(cls, pool: str, api_keys: ApiKeyRepository, accounts: AccountRepository) -> Names:
        """Read the names, without those of teams. Three round trips."""
        return cls(api_keys.names_by_id(pool), accounts.names_by_id(pool), api_keys.former_names(pool))

    def with_teams(self, teams: Iterable[Team]) -> Names:
        """Return these names and those of *teams*, all of the pool."""
        return replace(self, teams=frozenset(team.name for team in teams))

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
        return named_id(object_id, self.of(noun).get(object_id), self.former)

    def line(self, by: str, line_id: str) -> str:
        """Return the text of the line *line_id* of a report by *by*: the label of an object, else its id."""
        return self.label(by, line_id) if by in NAMED else line_id

    def label(self, noun: str, object_id: str) -> str:
        """
        Return the name of the *noun* (`key`, `account` or `team`) with *object_id*; '' without an id.

        That of a removed one is `<name> (removed)`, or `<id> (removed)` if its name is not known any more.
        """
        if not object_id or (noun == "team" and (self.teams is None or object_id in self.teams)):
            return object_id
        return name_or_id(self.named(noun, object_id))
