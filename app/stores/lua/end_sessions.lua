-- End sessions of an operator.
-- KEYS[1]  root of the system keys
-- ARGV     operator, public id of the one to end or '' for all, SHA-256 (hex) of the one to spare or ''
-- Returns  how many were ended.
return end_sessions(ARGV[1], function(digest, id)
  return (ARGV[2] == '' or ARGV[2] == id) and digest ~= ARGV[3]
end)
