-- Remove a request that waits for an account from the queue: its client has left, or it was refused.
-- KEYS[1]  root of the pool
-- ARGV[1]  id of the request
-- Returns  nothing. It has no effect on a request that does not wait.
leave_queue(ARGV[1])
has_queue()
