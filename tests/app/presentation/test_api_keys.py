import pytest

from app.presentation.api_keys import KeyView
from app.stores.records.api_keys import ApiKey, KeyState
from app.stores.records.limits import Limit, LimitStatus, LimitUnit, Period

KEY = ApiKey("key_1", "ann", "default", accounts=("acct_1", "acct_2"), expires_at=10.0)


def test_accounts_by_name():
    view = KeyView(KEY, {"acct_1": "main"}, now=0.0)

    assert view.accounts == ["main", "acct_2 (removed)"]
    assert view.to_json()["accounts"] == ["main", "acct_2"]


def test_a_removed_account_has_its_last_name():
    view = KeyView(KEY, {"acct_1": "main"}, now=0.0, former_names={"acct_2": "spare"})

    assert view.accounts == ["main", "spare (removed)"]


@pytest.mark.parametrize(("now", "state"), [(9.9, KeyState.ACTIVE), (10.0, KeyState.EXPIRED)])
def test_an_expired_key(now, state):
    assert KeyView(KEY, {}, now).state is state


def test_the_nearest_limit_is_the_most_used():
    statuses = [
        LimitStatus(Limit(name, LimitUnit.REQUESTS, Period.DAY, 100), settled, 0, None)
        for name, settled in (("a", 10), ("b", 80))
    ]

    nearest = KeyView(KEY, {}, 0.0, statuses).nearest
    assert nearest is not None
    assert nearest.limit.id == "b"
