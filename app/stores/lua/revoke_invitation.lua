-- Revoke an open invitation.
-- KEYS[1]  root of the system keys
-- ARGV     its public id
-- Returns  1 revoked, 0 when there is none.
local digest = redis.call('HGET', INVITATIONS, ARGV[1])
if not digest then return 0 end
local revoked = redis.call('EXISTS', invitation_key(digest))
remove_invitation(digest)
redis.call('HDEL', INVITATIONS, ARGV[1])
return revoked
