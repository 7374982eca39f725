-- Opens an order again that a purchase holds, so that another wallet or coins can pay for it.
--
-- KEYS[1]  order:{machineId}, a hash
-- ARGV     purchaseId, fromPaying (1 after a decline or a refused commit, else 0), wake channel, publish verb (PUBLISH
--          or SPUBLISH)
-- Replies  released | not_held | paying (held for payment, and fromPaying is 0)
-- Atomic   comparing the holder and opening the order, so that nobody's newer claim is lost.
-- Repeated not_held.
local order = redis.call('HMGET', KEYS[1], 'seq', 'state', 'holder')
local seq, state, holder = order[1], order[2], order[3]
if holder ~= ARGV[1] or state == 'closed' then
  return { 'not_held' }
end
if state == 'paying' and ARGV[2] ~= '1' then
  return { 'paying' }
end

redis.call('HSET', KEYS[1], 'state', 'open')
redis.call('HDEL', KEYS[1], 'holder', 'until')
redis.call(ARGV[4], ARGV[3], seq)
return { 'released' }
