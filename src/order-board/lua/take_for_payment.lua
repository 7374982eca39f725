-- Marks the order as being paid by one purchase, right before the purchase is committed.
--
-- KEYS[1]  order:{machineId}, a hash
-- ARGV     purchaseId, orderSeq (uint32, the order that the payer was shown), minLeftMs (refused with less left)
-- Replies  taken, leftMs | again, leftMs (paying for this purchase already) | lost, state | replaced, seq
--          closed, why | expired | late | none
-- Atomic   looking whether anybody else holds the order and marking it; from then on its hold ends with its deadline.
-- Repeated again.
local purchaseId = ARGV[1]
local order = redis.call('HMGET', KEYS[1], 'seq', 'state', 'deadline', 'holder', 'until', 'why')
local seq, state, deadline, holder = tonumber(order[1] or ''), order[2], order[3], order[4]
if not seq then
  return { 'none' }
end
if seq ~= tonumber(ARGV[2]) then
  return { 'replaced', seq }
end
if state == 'closed' then
  return { 'closed', order[6] }
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local leftMs = tonumber(deadline) - now
if leftMs <= 0 then
  return { 'expired' }
end
if state == 'paying' and holder == purchaseId then
  return { 'again', leftMs }
end
if state == 'paying' then
  return { 'lost', state }
end
if state == 'claimed' and holder ~= purchaseId and tonumber(order[5]) > now then
  return { 'lost', state }
end
if leftMs < tonumber(ARGV[3]) then
  return { 'late' }
end

redis.call('HSET', KEYS[1], 'state', 'paying', 'holder', purchaseId, 'until', deadline)
return { 'taken', leftMs }
