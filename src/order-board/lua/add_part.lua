-- Keeps one part of a long SMS and hands out all parts once they are there.
--
-- KEYS[1]  parts:{account:mac:reference}, a hash
-- ARGV     total (1..255), part (1..total), text, ttlMs (time to live from now)
-- Replies  part_missing | whole, text of part 1, text of part 2, ...
-- Atomic   storing the part and counting, so that of the last two parts exactly the later one hears `whole`.
-- Repeated the same reply; the parts stay until their time is over. Another total, or another text for a part that is
--          there, is a new message under a reference that the phone has used again: the old parts are dropped.
local total, part, text = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local there = redis.call('HMGET', KEYS[1], 'total', part)
local isOther = (there[1] and there[1] ~= ARGV[1]) or (there[2] and there[2] ~= text)
if isOther then
  redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[1], 'total', ARGV[1], part, text)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if redis.call('HLEN', KEYS[1]) < total + 1 then
  return { 'part_missing' }
end

local whole = { 'whole' }
for number = 1, total do
  whole[number + 1] = redis.call('HGET', KEYS[1], tostring(number))
end
return whole
