"""Models that rest at single accounts: overloaded, limited, suspected or missing there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import floor

from app.stores import keys
from app.stores.records.accounts import ModelRest, ModelState
from app.stores.scripts import Scripts

# The part of a score after the decimal point. Same as REASONS in lua/model_rests.lua.
_STATES = {0.25: ModelState.OVERLOADED, 0.5: ModelState.LIMITED, 0.75: ModelState.SUSPECTED}

Scores = Iterable[tuple[str, float]]


class ModelRestRepository:
    """Reads rests; requests begin and end them. At most 128 models rest at an account."""

    def __init__(self, scripts: Scripts) -> None:
        self._client = scripts.client

    def all(self, pool: str, now: float) -> dict[str, list[ModelRest]]:
        """Return the rests at *now*, Unix seconds, of all accounts by id. At most two round trips."""
        resting = self._client.zrangebyscore(keys.resting_accounts(pool), f"({now * 1000:.0f}", "+inf")
        return self._read(pool, resting, now) if resting else {}

    def of_account(self, pool: str, account_id: str, now: float) -> list[ModelRest]:
        """Return the rests of one account at *now*, Unix seconds, by model."""
        return self._read(pool, [account_id], now).get(account_id, [])

    def _read(self, pool: str, account_ids: Sequence[str], now: float) -> dict[str, list[ModelRest]]:
        pipeline = self._client.pipeline(transaction=False)
        for account_id in account_ids:
            pipeline.zrange(keys.resting_models(pool, account_id), 0, -1, withscores=True)
            pipeline.zrange(keys.missing_models(pool, account_id), 0, -1, withscores=True)
        replies = pipeline.execute()
        found = zip(account_ids, replies[::2], replies[1::2], strict=True)
        read = {account_id: _rests(resting, missing, now * 1000) for account_id, resting, missing in found}
        return {account_id: rests for account_id, rests in read.items() if rests}


def _rests(resting: Scores, missing: Scores, now_ms: float) -> list[ModelRest]:
    """Return the rests that are not over, by model; that a model is missing comes before its other rest."""
    found: Mapping[str, ModelRest] = {
        **{
            model: ModelRest(model, _STATES.get(score % 1, ModelState.OVERLOADED), floor(score))
            for model, score in resting
            if score > now_ms
        },
        **{
            model: ModelRest(model, ModelState.MISSING, floor(score))
            for model, score in missing
            if score > now_ms
        },
    }
    return [found[model] for model in sorted(found)]
