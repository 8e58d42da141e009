-- Operators, their sessions, admin tokens and sign-in attempts. All of these are system keys.
local START = root .. 'start' -- string: SHA-256 (hex) of the token that makes the first operator; expires
local OPERATORS = root .. 'operators' -- set: names

local function operator_key(name) return root .. 'op:' .. name end
local function session_key(digest) return root .. 'ses:' .. digest end
local function sessions_key(operator) return root .. 'op-ses:' .. operator end -- zset: digest -> end, Unix ms
local function attempts_key(what) return root .. 'try:' .. what end
local TOKENS = root .. 'admin-tokens' -- hash: name of an admin token -> digest
local function token_key(digest) return root .. 'adm:' .. digest end

-- Returns the role of an operator; operators of earlier versions, which have none, are owners.
local function role_of(name) return redis.call('HGET', operator_key(name), 'role') or 'owner' end

local ROLE_RANKS = { viewer = 1, admin = 2, owner = 3 }

local POLICY = root .. 'sign-in-policy' -- hash: second_factor ('required', or no field)

-- Returns whether an operator has signed in by password, without the second factor that the policy requires.
local function lacks_second_factor(name, method)
  return method == 'password' and redis.call('HGET', POLICY, 'second_factor') == 'required'
    and redis.call('HEXISTS', operator_key(name), 'totp') == 0
end

local function is_suspended(name) return redis.call('HGET', operator_key(name), 'suspended') == '1' end

-- Returns whether `name` is the only owner: then no one else could manage operators.
local function is_last_owner(name)
  if role_of(name) ~= 'owner' then return false end
  for _, other in ipairs(redis.call('SMEMBERS', OPERATORS)) do
    if other ~= name and role_of(other) == 'owner' and not is_suspended(other) then return false end
  end
  return true
end

-- Appends a field to a flat reply of HGETALL; returns it.
local function with_field(flat, field, value)
  flat[#flat + 1] = field
  flat[#flat + 1] = value
  return flat
end

local INVITATIONS = root .. 'invitations' -- hash: public id of an invitation -> digest
local function invitation_key(digest) return root .. 'inv:' .. digest end
local function identity_key(digest) return root .. 'ident:' .. digest end -- string: name of an operator

local function remove_invitation(digest)
  local id = redis.call('HGET', invitation_key(digest), 'id')
  redis.call('DEL', invitation_key(digest))
  if id then redis.call('HDEL', INVITATIONS, id) end
end

-- Removes the invitations that an operator created: only owners invite.
local function remove_invitations_by(operator)
  local open = redis.call('HGETALL', INVITATIONS)
  for i = 2, #open, 2 do
    if redis.call('HGET', invitation_key(open[i]), 'operator') == operator then remove_invitation(open[i]) end
  end
end

-- Removes an admin token, and its name unless another token has it by now.
local function remove_token(name, digest)
  redis.call('DEL', token_key(digest))
  if redis.call('HGET', TOKENS, name) == digest then redis.call('HDEL', TOKENS, name) end
end

-- Ends the sessions of an operator for which `which(digest, id)` is true; returns how many there were.
local function end_sessions(operator, which)
  local ended = 0
  for _, digest in ipairs(redis.call('ZRANGE', sessions_key(operator), 0, -1)) do
    local id = redis.call('HGET', session_key(digest), 'id')
    if not id then
      redis.call('ZREM', sessions_key(operator), digest)
    elseif which(digest, id) then
      redis.call('DEL', session_key(digest))
      redis.call('ZREM', sessions_key(operator), digest)
      ended = ended + 1
    end
  end
  return ended
end

-- Ends the sessions of an operator that began with a sign-in at another service, except the session `spared`.
local function end_external_sessions(operator, spared)
  return end_sessions(operator, function(digest)
    local method = redis.call('HGET', session_key(digest), 'method') or 'password'
    return digest ~= spared and method ~= 'password'
  end)
end

-- Gives an operator a role. The invitations of an operator who is no longer an owner end.
local function give_role(operator, role)
  redis.call('HSET', operator_key(operator), 'role', role)
  if role ~= 'owner' then remove_invitations_by(operator) end
end

-- Suspends an operator: their sessions and invitations end, and their admin tokens do not work.
local function suspend(operator)
  redis.call('HSET', operator_key(operator), 'suspended', '1')
  end_sessions(operator, function() return true end)
  remove_invitations_by(operator)
end

-- Returns whether rules assign the role of an operator and last did so under another fingerprint than `rules`. A role
-- that an earlier version assigned stays valid until the next sign-in.
local function is_stale(operator, rules)
  local values = redis.call('HMGET', operator_key(operator), 'by_rules', 'facts', 'rules')
  return values[1] == '1' and values[2] and values[3] ~= rules
end
