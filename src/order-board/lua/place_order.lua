-- Puts a machine's order on the board; a higher orderSeq replaces whatever was there.
--
-- KEYS[1]  order:{machineId}, a hash
-- ARGV     orderSeq (uint32), print (what the machine sent), body, waitMs (how long it still waits), graceMs (kept
--          after the deadline), wake channel, publish verb (PUBLISH or SPUBLISH)
-- Replies  placed, leftMs, stateBefore, holderBefore ('' where nothing was replaced)
--          same, state, leftMs, body, holder, why | conflict (same orderSeq, other print) | stale, seq | late
-- Atomic   comparing the numbers and writing the whole order; waiters are woken once it is there.
-- Repeated same; of several deadlines the earliest stays, so that a delayed repetition cannot prolong an order.
local seq, print, waitMs = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[4])
if waitMs <= 0 then
  return { 'late' }
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local deadline = now + waitMs
local order = redis.call('HMGET', KEYS[1], 'seq', 'print', 'state', 'deadline', 'body', 'holder', 'why')
local seqThere = order[1] and tonumber(order[1])

if seqThere and seqThere > seq then
  return { 'stale', seqThere }
end
if seqThere == seq then
  if order[2] ~= print then
    return { 'conflict' }
  end
  local kept = tonumber(order[4])
  if deadline < kept then
    kept = deadline
    redis.call('HSET', KEYS[1], 'deadline', string.format('%.0f', kept))
    redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', kept + tonumber(ARGV[5])))
  end
  return { 'same', order[3], math.max(kept - now, 0), order[5], order[6] or '', order[7] or '' }
end

-- HSET is the first write: a server out of memory refuses it before anything has changed.
redis.call('HSET', KEYS[1], 'seq', ARGV[1], 'print', print, 'state', 'open',
  'deadline', string.format('%.0f', deadline), 'body', ARGV[3])
redis.call('HDEL', KEYS[1], 'holder', 'until', 'why')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', deadline + tonumber(ARGV[5])))
redis.call(ARGV[7], ARGV[6], ARGV[1])
return { 'placed', waitMs, order[3] or '', order[6] or '' }
