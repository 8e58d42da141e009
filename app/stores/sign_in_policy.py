"""Store what is required of every operator who signs in."""

from __future__ import annotations

from app.stores import keys
from app.stores.records.operators import SignInPolicy
from app.stores.scripts import Scripts

REQUIRED = "required"


class SignInPolicyRepository:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def current(self) -> SignInPolicy:
        return SignInPolicy(self._scripts.client.hget(keys.sign_in_policy(), "second_factor") == REQUIRED)

    def put(self, policy: SignInPolicy) -> None:
        if policy.second_factor_required:
            self._scripts.client.hset(keys.sign_in_policy(), "second_factor", REQUIRED)
        else:
            self._scripts.client.hdel(keys.sign_in_policy(), "second_factor")
