-- Ends an order, in whatever state it is.
--
-- KEYS[1]  order:{machineId}, a hash
-- ARGV     orderSeq (uint32), why (below 64 bytes)
-- Replies  closed, stateBefore, holder ('' where nobody held it) | again, why (closed before) | other, seq | none
-- Atomic   comparing the number and closing, so that a newer order is never closed by an older word.
-- Repeated again, with the first reason. The holder stays in the hash, for whoever lost the first reply.
local order = redis.call('HMGET', KEYS[1], 'seq', 'state', 'holder', 'why')
local seq, state = tonumber(order[1] or ''), order[2]
if not seq then
  return { 'none' }
end
if seq ~= tonumber(ARGV[1]) then
  return { 'other', seq }
end
if state == 'closed' then
  return { 'again', order[4] }
end

redis.call('HSET', KEYS[1], 'state', 'closed', 'why', ARGV[2])
return { 'closed', state, order[3] or '' }
