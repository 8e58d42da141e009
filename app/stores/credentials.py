"""The sign-ins of accounts in Redis: sealed tokens, and leases on exchanging them."""

from __future__ import annotations

import orjson

from app.stores import keys
from app.stores.records.credentials import FailedExchange, LeaseReply, LeaseResult, SealedTokens
from app.stores.scripts import Scripts


class SealedTokenRepository:
    """The sealed OAuth tokens of accounts. Every method is one round trip."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def read(self, pool: str, account_id: str) -> str:
        """Return the sealed tokens of an account, '' when it has no sign-in."""
        return self._scripts.client.hget(keys.account(pool, account_id), "sign_in") or ""

    def replace(self, pool: str, account_id: str, tokens: SealedTokens) -> int:
        """Store the tokens of a new sign-in and return the version of the account."""
        version: int = self._scripts.run(
            "replace_tokens", pool, orjson.dumps({"account": account_id, **tokens})
        )
        return version

    def lease(
        self, pool: str, account_id: str, rotation: int, *, was_refused: bool, seconds: float
    ) -> LeaseReply:
        """Take the lease on exchanging the tokens of *rotation*, unless another process has it."""
        request = {
            "account": account_id,
            "rotation": rotation,
            "refused": was_refused,
            "ttl_ms": int(seconds * 1000),
        }
        reply = self._scripts.run_json("lease_refresh", pool, request)
        return LeaseReply(
            LeaseResult(reply["verdict"]),
            reply.get("version", 0),
            reply.get("fence", 0),
            reply.get("rotation", 0),
            reply.get("sign_in", ""),
        )

    def store(self, pool: str, account_id: str, fence: int, rotation: int, tokens: SealedTokens) -> int:
        """Store the tokens of an exchange; return the account's new version, 0 if *fence* is outdated."""
        request = {"account": account_id, "fence": fence, "rotation": rotation, **tokens}
        version: int = self._scripts.run("store_tokens", pool, orjson.dumps(request))
        return version

    def record_failure(self, pool: str, account_id: str, fence: int, failed: FailedExchange) -> None:
        """Release the lease *fence* after an exchange that failed, and record the failure."""
        request = {
            "account": account_id,
            "fence": fence,
            "reason": failed.reason[:80],
            "dead": failed.is_permanent,
            "answered": failed.is_answered,
            "refused": failed.was_refused,
            "cool_ms": int(failed.cool_seconds * 1000),
        }
        self._scripts.run("fail_refresh", pool, orjson.dumps(request))
