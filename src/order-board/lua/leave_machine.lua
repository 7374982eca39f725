-- Deletes the route of a machine if it is still that of the socket that leaves.
--
-- KEYS[1]  route:{bucket}, a hash of about 60 machines
-- ARGV     machineId, entry (node:incarnation:socket)
-- Replies  left | not_held (another socket has joined since, or there is none)
-- Atomic   comparing the entry and deleting it.
-- Repeated not_held.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return { 'not_held' }
end
redis.call('HDEL', KEYS[1], ARGV[1])
return { 'left' }
