"""API keys, with the names of their accounts and the usage of their limits, as a view and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.formatting import name_or_id, named_id
from app.presentation.limits import serialize_limit_status
from app.stores.records.api_keys import ApiKey, ApiKeyJson, KeyState
from app.stores.records.limits import Limit, LimitStatus
from app.stores.usage import UsageRepository


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """
    Which keys to list; '' matches any.

    `text` is part of the name, team, owner or a label. A label with the value '' matches any value. `model`
    is a model that the keys may use.
    """

    text: str = ""
    team: str = ""
    owner: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    state: str = ""
    model: str = ""
    is_unlimited: bool = False  # only keys without a limit of their own

    def select(self, api_keys: Iterable[ApiKey], now: float = 0.0) -> list[ApiKey]:
        """
        Return those of *api_keys* that match every condition; `state` is that at *now*, in Unix seconds.
        """
        return [key for key in api_keys if self._matches(key, now)]

    def _matches(self, key: ApiKey, now: float) -> bool:
        labels = dict(key.labels)
        return (
            self.team in ("", key.team)
            and self.owner in ("", key.owner)
            and self.state in ("", key.state_at(now))
            and not (self.is_unlimited and key.limits)
            and all(name in labels and value in ("", labels[name]) for name, value in self.labels.items())
            and (not self.model or key.may_use(self.model))
            and (not self.text or self._has_text(key))
        )

    def _has_text(self, key: ApiKey) -> bool:
        text = self.text.lower()
        return any(text in one.lower() for one in (key.name, key.team, key.owner, *label_texts(key)))


def label_texts(key: ApiKey) -> list[str]:
    """Return the labels of *key* as `name=value`."""
    return [f"{name}={value}" for name, value in key.labels]


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key at *now*, in Unix seconds; `limits` have their usage if that was read."""

    key: ApiKey
    account_names: Mapping[str, str]  # account names by id
    now: float
    limits: Sequence[LimitStatus] = ()
    former_names: Mapping[str, str] = field(default_factory=dict)  # last names of removed accounts, by id

    @property
    def state(self) -> KeyState:
        return self.key.state_at(self.now)

    @property
    def accounts(self) -> list[str]:
        """The names of the accounts that it may use, of removed ones the last; empty: all."""
        names, former = self.account_names, self.former_names
        return [name_or_id(named_id(one, names.get(one), former)) for one in self.key.accounts]

    @property
    def nearest(self) -> LimitStatus | None:
        """The limit of which the largest share is used."""
        return max(self.limits, key=lambda status: status.used_percent, default=None)

    def to_json(self) -> ApiKeyJson:
        """Return the key as JSON; `accounts` are names, or ids of removed accounts."""
        accounts = [self.account_names.get(account_id, account_id) for account_id in self.key.accounts]
        return self.key.public() | {
            "accounts": accounts,
            "limits": [serialize_limit_status(status) for status in self.limits],
        }


def key_views(
    usage: UsageRepository,
    pool: str,
    api_keys: Sequence[ApiKey],
    account_names: Mapping[str, str],
    *,
    now: float,
    shared: Sequence[Limit] = (),
    former_names: Mapping[str, str] | None = None,
) -> list[KeyView]:
    """
    Return the views of *api_keys* of *pool*, with the usage of their limits and of the *shared* ones.

    *former_names* are the last names of removed accounts, by id.
    """
    owned = [[*key.limits, *shared] for key in api_keys]
    statuses = iter(usage.limit_statuses(pool, [limit for limits in owned for limit in limits]))
    return [
        KeyView(key, account_names, now, [next(statuses) for _ in limits], former_names or {})
        for key, limits in zip(api_keys, owned, strict=True)
    ]
