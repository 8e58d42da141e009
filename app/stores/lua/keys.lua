-- Key names, for keys that are only known while a script runs. Mirrors app/stores/keys.py.
-- All keys are in the cluster slot of KEYS[1], the root of the pool.
local root = KEYS[1]
local POOL = root .. 'pool'
local OUT = root .. 'out' -- zset: account id -> when it is due again, Unix ms
local OUT_JSON = root .. 'out-told' -- JSON: the accounts that are out, for decisions; deleted when they change
local RESETS = root .. 'resets' -- zset: account id -> when its next usage window resets, Unix ms
local SOFT = root .. 'soft' -- set: accounts out on suspicion alone, and those being tested
local RESTED = root .. 'rested' -- zset: account id -> when the last of its resting models is back, Unix ms
local LEASES = root .. 'leases'
local QUEUE = root .. 'queue' -- zset: place of a request that waits -> its start tag, see queue.lua
local QUEUE_UNTIL = root .. 'queue:until' -- zset: place -> when it is lost, Unix ms
local QUEUE_PLACES = root .. 'queue:places' -- hash: request id -> JSON [place, flow, share, line, facts], see queue.lua
local QUEUE_TAGS = root .. 'queue:tags' -- hash: flow -> its finish tag; virtual times; arrivals
local LEDGER = root .. 'ledger'
local LEDGER_INDEX = root .. 'ledgerindex' -- list: '<first id> <last id> <entries> <block>' of each block
local REFUSALS = root .. 'refusals' -- stream: the newest refused requests
local LATEST_REFUSALS = root .. 'refusals-latest' -- stream: how many were refused in the last minute, by code
local REFUSED_CREDENTIAL = root .. 'refused-at' -- '<account id> <Unix ms>': the last credential that took its account out
local NAMES = root .. 'accounts'
local KEY_NAMES = root .. 'keys'
local LAST_USED = root .. 'lastused' -- hash: API key id -> when its newest request ended, Unix ms
local FORMER = root .. 'former' -- zset: '<id> <name>' of a removed account or API key -> when it was removed, Unix ms
local ROUTES = root .. 'routes' -- hash: name or pattern of a model route -> its steps, defaults and overrides (JSON)
local TEAMS = root .. 'teams' -- set: names of teams
local WEBHOOKS = root .. 'webhooks' -- hash: webhook name -> its encrypted record
local AUDIT = root .. 'audit' -- system keys only
local AUDIT_OPEN = root .. 'audit-open'

local function account_key(id) return root .. 'a:' .. id end
local function api_key_key(id) return root .. 'k:' .. id end
local function team_key(name) return root .. 't:' .. name end
local function secret_key(digest) return root .. 's:' .. digest end
local function key_sessions_key(id) return root .. 'holders:' .. id end -- zset: session digest -> end, Unix ms
local function ready_key(offer) return root .. 'ready:' .. offer end
local UNLISTED = '+' -- in place of a model: offers of accounts that have listed their models, for any other model
local function offering_key(model) return root .. 'offering:' .. model end
local function members_key(offer) return root .. 'members:' .. offer end
local function models_key(offer) return root .. 'models:' .. offer end
local function rest_key(id) return root .. 'rest:' .. id end -- zset: model -> until, see model_rests.lua
local function lacks_key(id) return root .. 'lacks:' .. id end -- zset: model that it does not have -> until
local function request_key(id) return root .. 'r:' .. id end
local function settled_key(id) return root .. 'done:' .. id end
local function limit_key(id) return root .. 'lim:' .. id end
local function queue_class_key(digest) return root .. 'queue:class:' .. digest end
local function used_key(id) return root .. 'used:' .. id end
local function rollup_key(span, start_ms) return string.format('%sroll:%s:%.0f', root, span, start_ms / 1000) end
local function team_rollup_key(span, start_ms) return string.format('%steamroll:%s:%.0f', root, span, start_ms / 1000) end
local function rollup_names_key(day_ms) return string.format('%srollnames:%.0f', root, day_ms / 1000) end
local function rollup_starts_key(span) return root .. 'rolls:' .. span end
local function summary_key(span, start_ms) return string.format('%ssum:%s:%.0f', root, span, start_ms / 1000) end
local function answer_key(digest) return root .. 'ans:' .. digest end
local function answers_key(id) return root .. 'ans:of:' .. id end
local function recording_key(digest) return root .. 'idem:' .. digest end
local function recorded_pieces_key(digest, run) return root .. 'idem:' .. digest .. ':' .. run end
local function recordings_key(id) return root .. 'idem:of:' .. id end
local function recorded_sizes_key(id) return root .. 'idem:sizes:' .. id end
local POOL_RECORDINGS = root .. 'idem:pool'
local POOL_RECORDED_SIZES = root .. 'idem:bytes'
local function owner_key(hash) return root .. 'own:' .. hash end
local function holder_key(hash) return root .. 'conv:' .. hash end
local function no_accounts_key(hash) return root .. 'absent:' .. hash end -- short-lived, see availability.lua
local function affinity_key(hash) return root .. 'aff:' .. hash end
local function index_block_key(block) return root .. 'ledgerindex:' .. block end
local function refused_key(start_ms) return string.format('%srefused:%.0f', root, start_ms / 1000) end
local function refusal_batches_key(id) return root .. 'refused-batch:' .. id end
local function alerts_key(name) return root .. 'alerts:' .. name end
local function alert_messages_key(name) return root .. 'alerts-out:' .. name end
local function alert_deliveries_key(name) return root .. 'alerts-sent:' .. name end
