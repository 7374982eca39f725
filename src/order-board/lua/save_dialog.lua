-- Saves a dialog's next turn if no other node has saved one since it was read.
--
-- KEYS[1]  dialog:{account:mac}, a hash
-- ARGV     turnRead (0: none was there), ttlMs (time to live from now), body
-- Replies  saved, turn | moved, turn, body (what another node saved)
-- Atomic   comparing the turn and writing the next one.
-- Repeated moved with the own body, which counts as saved. A dialog that has vanished since it was read is written
--          anew: nobody else has answered, and the payer must not stay without a reply because the board was wiped.
local turnRead = tonumber(ARGV[1])
local dialog = redis.call('HMGET', KEYS[1], 'turn', 'body')
local turnThere = dialog[1] and tonumber(dialog[1])
if turnThere and turnThere ~= turnRead then
  return { 'moved', turnThere, dialog[2] }
end

local turn = turnRead + 1
redis.call('HSET', KEYS[1], 'turn', string.format('%.0f', turn), 'body', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { 'saved', turn }
