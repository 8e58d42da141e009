"""
The spelling of every key.

All keys of a pool carry the hash tag `{pool}`, so one script sees all of them and a Redis
Cluster spreads pools, not the keys of one pool, over its nodes. Scripts are given the root
(`KEYS[1]`) and spell what they can only know while running (the account they picked, the
lease they sweep) with the same suffixes: `lua/keys.lua` is this page's twin.
"""

from __future__ import annotations

import re

POOLS = "pg:pools"  # set of pool names; not on any request's path
JOBS = "pg:job:"  # + job name: string, the worker that took its current period; expires with it
JOB_RUNS = "pg:jobs"  # hash: job name -> JSON {at (Unix seconds, the store's), every_seconds, ok}
OFFICE = ".office"  # stands where a pool's name does, and can be none: the slot of what is nobody's pool
POOL_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def root(pool: str) -> str:
    """Return the prefix of every key of *pool*, which is also the slot of all of them."""
    return f"pg:{{{pool}}}:"


def pool(name: str) -> str:
    """
    Hash: zone, policy, settings (JSON), limits (JSON), prices (how often they changed), v (the
    virtual time of the last pick).
    """
    return root(name) + "pool"


def account_names(name: str) -> str:
    """Hash: account name -> account id."""
    return root(name) + "accounts"


def account(name: str, account_id: str) -> str:
    """Hash: what an account is (kind, base_url, …) and how it does (state, in_flight, …)."""
    return f"{root(name)}a:{account_id}"


def look(name: str, job: str, account_id: str) -> str:
    """String: there as long as *job* need not look at this account again."""
    return f"{root(name)}look:{job}:{account_id}"


def key_names(name: str) -> str:
    """Hash: API key name -> key id."""
    return root(name) + "keys"


def api_key(name: str, key_id: str) -> str:
    """Hash: an API key's record; never its secret."""
    return f"{root(name)}k:{key_id}"


def secret(name: str, digest: str) -> str:
    """String: SHA-256 (hex) of an API key -> key id."""
    return f"{root(name)}s:{digest}"


def limit(name: str, limit_id: str) -> str:
    """Hash: the counters of one limit."""
    return f"{root(name)}lim:{limit_id}"


def used(name: str, key_id: str) -> str:
    """Hash: figure -> what an API key used, ever."""
    return f"{root(name)}used:{key_id}"


def prices(name: str) -> str:
    """Hash: model -> its price row (JSON), over those that are shipped."""
    return root(name) + "prices"


def leases(name: str) -> str:
    """Sorted set: open request id -> deadline, Unix ms on the Redis clock."""
    return root(name) + "leases"


def request(name: str, request_id: str) -> str:
    """Hash: an open request: its account, attempt and holds."""
    return f"{root(name)}r:{request_id}"


def settled(name: str, request_id: str) -> str:
    """String: a settled request's ledger entry id, kept while a second settlement may come."""
    return f"{root(name)}done:{request_id}"


def flow(name: str, flow_id: str) -> str:
    """String: a sealed sign-in that a person has begun; `:asked` behind it paces the asking."""
    return f"{root(name)}flow:{flow_id}"


def answer(name: str, digest: str) -> str:
    """String: a sealed answer, there as long as its caller wanted it kept."""
    return f"{root(name)}ans:{digest}"


def answers(name: str, key_id: str) -> str:
    """Hash: answers stored for a key: digest -> when it was stored, when it expires (Unix ms), its bytes."""
    return f"{root(name)}ans:of:{key_id}"


def told(name: str, account_id: str, what: str) -> str:
    """String: what an upstream told of an account, `catalogue` or `usage`, for a day."""
    return f"{root(name)}told:{account_id}:{what}"


def ledger(name: str) -> str:
    """Stream: one entry per settled request."""
    return root(name) + "ledger"


def refusals(name: str) -> str:
    """Stream: refused requests: key (id), row (JSON), out (JSON: accounts that were unavailable)."""
    return root(name) + "refusals"


def refused(name: str, hour_seconds: int) -> str:
    """Hash: `key|code` -> how many requests were refused in the hour that began then."""
    return f"{root(name)}refused:{hour_seconds}"


def staged(name: str, run: str, suffix: str) -> str:
    """What a restore will put to the pool's root, as *suffix*, once it is all there."""
    return f"{root(name)}restore:{run}:{suffix}"


def staged_names(name: str, run: str) -> str:
    """Set: the suffixes of what is staged."""
    return f"{root(name)}restore:{run}"


def replaced_names(name: str, run: str) -> str:
    """Set: the suffixes of what goes when what is staged comes."""
    return f"{root(name)}restore-old:{run}"


def restore_by(name: str) -> str:
    """String: the newest restore's run."""
    return root(name) + "restore-by"


def rollup(name: str, span: str, start_seconds: int) -> str:
    """Hash: totals of one hour (`h`) or day (`d`): `key|account|model|figure` -> integer."""
    return f"{root(name)}roll:{span}:{start_seconds}"


def rollup_names(name: str, day_seconds: int) -> str:
    """Hash: models that have a name of their own in a day's roll-ups, and how many a key has."""
    return f"{root(name)}rollnames:{day_seconds}"


def rollup_starts(name: str, span: str) -> str:
    """Sorted set: start of each hour or day that has a roll-up -> the same."""
    return f"{root(name)}rolls:{span}"


def summary(name: str, span: str, start_seconds: int) -> str:
    """Hash: what a minute (`m`), hour or day that is over comes to, by key, account, model, and in all."""
    return f"{root(name)}sum:{span}:{start_seconds}"


def audit() -> str:
    """Stream: one entry per change that a person made."""
    return root(OFFICE) + "audit"


def audit_open() -> str:
    """Hash: changes under way: id -> the entry as it is known so far (JSON)."""
    return root(OFFICE) + "audit-open"


def operators() -> str:
    """Set: names of those who may sign in to the admin pages."""
    return root(OFFICE) + "operators"


def operator(name: str) -> str:
    """Hash: password (Argon2), second factor (sealed), recovery codes (SHA-256)."""
    return f"{root(OFFICE)}op:{name}"


def start_token() -> str:
    """String: SHA-256 (hex) of the token that lets the first operator in; expires."""
    return root(OFFICE) + "start"


def session(digest: str) -> str:
    """Hash: an operator's session, by the SHA-256 (hex) of its secret id; expires."""
    return f"{root(OFFICE)}ses:{digest}"


def sessions(operator_name: str) -> str:
    """Sorted set: session digest -> when it ends at the latest, Unix ms."""
    return f"{root(OFFICE)}op-ses:{operator_name}"


def admin_token(digest: str) -> str:
    """Hash: an admin token, by the SHA-256 (hex) of its secret; expires when it does."""
    return f"{root(OFFICE)}adm:{digest}"


def admin_tokens() -> str:
    """Hash: admin token name -> digest."""
    return root(OFFICE) + "admin-tokens"


def tries(what: str) -> str:
    """Sorted set: a try to sign in -> when, Unix ms. *what*: of whom, from where; `known:…` is a string."""
    return f"{root(OFFICE)}try:{what}"
