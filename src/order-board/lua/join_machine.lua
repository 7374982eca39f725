-- Writes which socket of which node holds a machine.
--
-- KEYS[1]  route:{bucket}, a hash of about 60 machines
-- ARGV     machineId, entry (node:incarnation:socket)
-- Replies  joined, entryBefore ('' where there was none)
-- Atomic   reading the entry before and replacing it, so that of two sockets exactly one is told of the other.
-- Repeated harmless; the entry before is then the own one.
local before = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return { 'joined', before or '' }
