-- Reads a machine's order as it stands, with what is left of it by the board's own clock.
--
-- KEYS[1]  order:{machineId}, a hash
-- ARGV     none
-- Replies  order, seq, state, leftMs (0 when the deadline has passed), body, holder ('' where nobody holds it) | none
-- Atomic   the fields and the clock are read together.
-- Repeated harmless, since it only reads.
local order = redis.call('HMGET', KEYS[1], 'seq', 'state', 'deadline', 'body', 'holder')
if not order[1] then
  return { 'none' }
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
return { 'order', tonumber(order[1]), order[2], math.max(tonumber(order[3]) - now, 0), order[4], order[5] or '' }
