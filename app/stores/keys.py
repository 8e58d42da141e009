"""
The names of all Redis keys.

Every key of a pool carries the hash tag `{pool}`, so one script can use any key of its pool, and a Redis
Cluster spreads pools over its nodes, not the keys of one pool. Scripts receive the root as `KEYS[1]` and
build the names that are only known while they run (the account they picked, a lease that expired) with
the same suffixes: `lua/keys.lua` mirrors this module.
"""

from __future__ import annotations

import re

POOLS = "pg:pools"  # set of pool names; no request reads it
JOBS = "pg:job:"  # + job name: string, the worker that took its current period; expires with it
JOB_RUNS = "pg:jobs"  # hash: job name -> JSON {at (Unix seconds, the store's), every_seconds, ok}
OUTAGE = "pg:outage"  # string: the last outage of the store, JSON {from, until (Unix s), reason}; expires
SYSTEM = ".office"  # used as a pool name for keys of no pool: operators, sessions, tokens, audit
POOL_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def root(pool: str) -> str:
    """Return the prefix of the keys of *pool*; its hash tag decides their cluster slot."""
    return f"pg:{{{pool}}}:"


def pool(name: str) -> str:
    """
    Hash: zone, policy, settings (JSON), limits (JSON), prices and routes (how often each changed),
    created_ms, restored (id of the backup that it was restored from), restored_by (id of that restore run),
    queue (exists while requests may wait for an account).
    """
    return root(name) + "pool"


def account_names(name: str) -> str:
    """Hash: account name -> account id."""
    return root(name) + "accounts"


def account(name: str, account_id: str) -> str:
    """Hash: an account's settings (kind, base_url, …) and its health (state, in_flight, …)."""
    return f"{root(name)}a:{account_id}"


def resting_accounts(name: str) -> str:
    """Sorted set: account id -> when the last of its resting models is back, Unix ms."""
    return root(name) + "rested"


def resting_models(name: str, account_id: str) -> str:
    """Sorted set: model that rests at an account -> its end, Unix ms, and why; see lua/model_rests.lua."""
    return f"{root(name)}rest:{account_id}"


def missing_models(name: str, account_id: str) -> str:
    """Sorted set: model that an account was found not to have -> when it is tried again, Unix ms."""
    return f"{root(name)}lacks:{account_id}"


def job_claim(name: str, job: str, account_id: str) -> str:
    """String: exists until *job* is due again for this account."""
    return f"{root(name)}look:{job}:{account_id}"


def key_names(name: str) -> str:
    """Hash: API key name -> key id."""
    return root(name) + "keys"


def api_key(name: str, key_id: str) -> str:
    """Hash: an API key's record; never its secret."""
    return f"{root(name)}k:{key_id}"


def team_names(name: str) -> str:
    """Set: names of the teams of API keys."""
    return root(name) + "teams"


def team(name: str, team_name: str) -> str:
    """Hash: a team's name, state, limits (JSON), key_limits (JSON: texts), created_ms."""
    return f"{root(name)}t:{team_name}"


def key_sessions(name: str, key_id: str) -> str:
    """Sorted set: session of the key's holder, by the SHA-256 (hex) of its secret id -> its end, Unix ms."""
    return f"{root(name)}holders:{key_id}"


def secret(name: str, digest: str) -> str:
    """String: SHA-256 (hex) of an API key -> key id."""
    return f"{root(name)}s:{digest}"


def limit(name: str, limit_id: str) -> str:
    """Hash: the counters of one limit."""
    return f"{root(name)}lim:{limit_id}"


def used(name: str, key_id: str) -> str:
    """Hash: figure -> total that an API key has ever used."""
    return f"{root(name)}used:{key_id}"


def former_names(name: str) -> str:
    """Sorted set: `<id> <name>` of a removed account or API key -> when it was removed, Unix ms."""
    return root(name) + "former"


def last_used(name: str) -> str:
    """Hash: API key id -> when its newest request ended, Unix ms."""
    return root(name) + "lastused"


def prices(name: str) -> str:
    """Hash: model -> its price (JSON), in place of the shipped one."""
    return root(name) + "prices"


def routes(name: str) -> str:
    """Hash: name or pattern of a model route -> its steps, defaults and overrides (JSON)."""
    return root(name) + "routes"


def webhooks(name: str) -> str:
    """Hash: webhook name -> its URL, secret and settings (encrypted JSON)."""
    return root(name) + "webhooks"


def alerts(name: str, webhook: str) -> str:
    """Hash: open alert that a webhook was sent -> its step, since when and when it was sent (JSON)."""
    return f"{root(name)}alerts:{webhook}"


def alert_messages(name: str, webhook: str) -> str:
    """List: messages for a webhook (JSON), the oldest first; at most 10."""
    return f"{root(name)}alerts-out:{webhook}"


def alert_deliveries(name: str, webhook: str) -> str:
    """Hash: how many messages were delivered, have failed or were dropped; the latest error and times."""
    return f"{root(name)}alerts-sent:{webhook}"


def leases(name: str) -> str:
    """Sorted set: open request id -> deadline, Unix ms on the Redis clock."""
    return root(name) + "leases"


def queue_places(name: str) -> str:
    """Hash: id of a request that waits for an account -> JSON [place, flow, share, line, facts]."""
    return root(name) + "queue:places"


def queue(name: str) -> str:
    """Sorted set: place of a request that waits for an account -> its start tag."""
    return root(name) + "queue"


def request(name: str, request_id: str) -> str:
    """Hash: an open request: its account, attempt and holds."""
    return f"{root(name)}r:{request_id}"


def settled(name: str, request_id: str) -> str:
    """String: a settled request's ledger entry id; expires when no second settlement can arrive any more."""
    return f"{root(name)}done:{request_id}"


def flow(name: str, flow_id: str) -> str:
    """String: a sealed, unfinished sign-in flow; the key with suffix `:asked` limits its polling."""
    return f"{root(name)}flow:{flow_id}"


def cached_response(name: str, digest: str) -> str:
    """String: a sealed response; expires after the time its caller requested."""
    return f"{root(name)}ans:{digest}"


def cached_responses(name: str, key_id: str) -> str:
    """Hash: stored responses of a key: digest -> when it was stored, when it expires (Unix ms), its bytes."""
    return f"{root(name)}ans:of:{key_id}"


def recording(name: str, digest: str) -> str:
    """Hash: a request with an Idempotency-Key: run, fingerprint of its body, state; expires."""
    return f"{root(name)}idem:{digest}"


def recorded_pieces(name: str, digest: str, run: str) -> str:
    """List: the response of such a request: its sealed head (JSON), then the sealed pieces of its body."""
    return f"{root(name)}idem:{digest}:{run}"


def recordings(name: str, key_id: str) -> str:
    """Sorted set: digest of a request of the key that is recorded -> when that was last written, Unix ms."""
    return f"{root(name)}idem:of:{key_id}"


def pool_recordings(name: str) -> str:
    """Sorted set: `key id|digest` of each recording of the pool -> when it expires, Unix ms."""
    return f"{root(name)}idem:pool"


def pool_recorded_sizes(name: str) -> str:
    """Hash: digest -> the bytes that its recording takes, with what Redis needs; `total` -> their sum."""
    return f"{root(name)}idem:bytes"


def recorded_sizes(name: str, key_id: str) -> str:
    """Hash: digest -> the bytes that its recorded response takes, sealed; `total` -> their sum."""
    return f"{root(name)}idem:sizes:{key_id}"


def upstream_metadata(name: str, account_id: str, topic: str) -> str:
    """String: an upstream's `catalogue` or `usage` of an account; expires after a day."""
    return f"{root(name)}told:{account_id}:{topic}"


def ledger(name: str) -> str:
    """Stream: one entry per settled request."""
    return root(name) + "ledger"


def ledger_index(name: str) -> str:
    """List: `<first id> <last id> <entries> <block>` of each block of the ledger's index, oldest first."""
    return root(name) + "ledgerindex"


def index_block(name: str, block: str) -> str:
    """Hash: digest of a field's value -> the entries of the block that have it; columns; the entries' ids."""
    return f"{root(name)}ledgerindex:{block}"


def refusals(name: str) -> str:
    """Stream: refused requests: key (id), row (JSON), out (JSON: accounts that were unavailable)."""
    return root(name) + "refusals"


def latest_refusals(name: str) -> str:
    """Stream: `code|second` -> how many requests were refused in that second of the last minute, Unix ms."""
    return root(name) + "refusals-latest"


def refusal_batches(name: str, writer: str) -> str:
    """Sorted set: number of each of the newest batches of refusals that *writer* has recorded."""
    return f"{root(name)}refused-batch:{writer}"


def refused(name: str, hour_seconds: int) -> str:
    """Hash: `key|code` -> how many requests were refused in the hour that began at *hour_seconds*."""
    return f"{root(name)}refused:{hour_seconds}"


def staged(name: str, run: str, suffix: str) -> str:
    """Any type: a key that a restore renames to *suffix* once all are staged."""
    return f"{root(name)}restore:{run}:{suffix}"


def staged_names(name: str, run: str) -> str:
    """Set: the suffixes of the staged keys."""
    return f"{root(name)}restore:{run}"


def replaced_names(name: str, run: str) -> str:
    """Set: the suffixes of the keys that the staged ones replace."""
    return f"{root(name)}restore-old:{run}"


def restore_by(name: str) -> str:
    """String: id of the newest restore run."""
    return root(name) + "restore-by"


def rollup(name: str, span: str, start_seconds: int) -> str:
    """Hash: totals of one hour (`h`) or day (`d`): `key|account|model|figure` -> integer."""
    return f"{root(name)}roll:{span}:{start_seconds}"


def team_rollup(name: str, span: str, start_seconds: int) -> str:
    """Hash: totals of one hour (`h`) or day (`d`) by team: `team|account|model|figure` -> integer."""
    return f"{root(name)}teamroll:{span}:{start_seconds}"


def rollup_names(name: str, day_seconds: int) -> str:
    """Hash: models listed by name in a day's roll-ups, and their number for each API key."""
    return f"{root(name)}rollnames:{day_seconds}"


def rollup_starts(name: str, span: str) -> str:
    """Sorted set: start of each hour or day that has a roll-up -> the same."""
    return f"{root(name)}rolls:{span}"


def summary(name: str, span: str, start_seconds: int) -> str:
    """Hash: the totals of a minute (`m`), hour or day that is over, by key, account, model and in all."""
    return f"{root(name)}sum:{span}:{start_seconds}"


def measured(name: str, span: str, start_seconds: int) -> str:
    """Hash: times and usage by endpoint of the requests that ended in a minute (`m`), hour or day."""
    return f"{root(name)}measured:{span}:{start_seconds}"


def breakdown(name: str, span: str, start_seconds: int) -> str:
    """Hash: the usage of each key, account, model and team in an hour or a day, by key, account or model."""
    return f"{root(name)}breakdown:{span}:{start_seconds}"


def audit() -> str:
    """Stream: one entry per change that an operator made."""
    return root(SYSTEM) + "audit"


def audit_open() -> str:
    """Hash: changes under way: id -> the entry so far (JSON)."""
    return root(SYSTEM) + "audit-open"


def operators() -> str:
    """Set: names of the operators, who may sign in to the admin pages."""
    return root(SYSTEM) + "operators"


def operator(name: str) -> str:
    """Hash: password (Argon2), second factor (sealed), recovery codes (SHA-256)."""
    return f"{root(SYSTEM)}op:{name}"


def sign_in_policy() -> str:
    """Hash: second_factor (`required`, or no field)."""
    return root(SYSTEM) + "sign-in-policy"


def start_token() -> str:
    """String: SHA-256 (hex) of the token that creates the first operator; expires."""
    return root(SYSTEM) + "start"


def invitation(digest: str) -> str:
    """Hash: an open invitation, by the SHA-256 (hex) of its secret; expires when it does."""
    return f"{root(SYSTEM)}inv:{digest}"


def invitations() -> str:
    """Hash: public id of an open invitation -> digest."""
    return root(SYSTEM) + "invitations"


def identity(digest: str) -> str:
    """String: name of the operator with an identity that another service verifies, by its SHA-256 (hex)."""
    return f"{root(SYSTEM)}ident:{digest}"


def session(digest: str) -> str:
    """Hash: an operator's session, by the SHA-256 (hex) of its secret id; expires."""
    return f"{root(SYSTEM)}ses:{digest}"


def sessions(operator_name: str) -> str:
    """Sorted set: session digest -> when it ends at the latest, Unix ms."""
    return f"{root(SYSTEM)}op-ses:{operator_name}"


def admin_token(digest: str) -> str:
    """Hash: an admin token, by the SHA-256 (hex) of its secret; expires when it does."""
    return f"{root(SYSTEM)}adm:{digest}"


def admin_tokens() -> str:
    """Hash: admin token name -> digest."""
    return root(SYSTEM) + "admin-tokens"


def sign_in_attempts(subject: str) -> str:
    """Sorted set: sign-in attempt -> time, Unix ms. *subject*: name, address or both; `known:…` a string."""
    return f"{root(SYSTEM)}try:{subject}"
