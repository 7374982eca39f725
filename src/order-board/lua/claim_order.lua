-- Gives one purchase the right to confirm a machine's order, for a limited time.
--
-- KEYS[1]  order:{machineId}, a hash
-- ARGV     purchaseId, holdMs (how long the claim holds), minLeftMs (refused with less left until the deadline)
-- Replies  claimed, seq, body, leftMs | paying, seq, body, leftMs (the caller's own, already being paid)
--          taken, state, holdLeftMs | closed, why | expired | late, leftMs | none
-- Atomic   looking whether somebody else holds the order and becoming its holder.
-- Repeated claimed; the hold is renewed. A hold whose time has passed may be taken by anyone.
local purchaseId = ARGV[1]
local order = redis.call('HMGET', KEYS[1], 'seq', 'state', 'deadline', 'body', 'holder', 'until', 'why')
local seq, state, holder = order[1], order[2], order[5]
if not seq then
  return { 'none' }
end
if state == 'closed' then
  return { 'closed', order[7] }
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local deadline = tonumber(order[3])
local leftMs = deadline - now
if leftMs <= 0 then
  return { 'expired' }
end
if state == 'paying' and holder == purchaseId then
  return { 'paying', tonumber(seq), order[4], leftMs }
end
if state == 'paying' then
  return { 'taken', state, leftMs }
end
if state == 'claimed' and holder ~= purchaseId and tonumber(order[6]) > now then
  return { 'taken', state, tonumber(order[6]) - now }
end
if leftMs < tonumber(ARGV[3]) then
  return { 'late', leftMs }
end

local holdUntil = math.min(now + tonumber(ARGV[2]), deadline)
redis.call('HSET', KEYS[1], 'state', 'claimed', 'holder', purchaseId, 'until', string.format('%.0f', holdUntil))
return { 'claimed', tonumber(seq), order[4], leftMs }
