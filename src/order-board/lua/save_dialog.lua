-- Saves a dialog's next turn if no other node has saved one since it was read.
--
-- KEYS[1]  dialog:{account:mac}, a hash
-- ARGV     turnRead (0: none was there), turn (the next one), ttlMs (time to live from now), body
-- Replies  saved | moved, body (what is there, empty when nothing is)
-- Atomic   comparing the turn and writing the next one.
-- Repeated moved with the own body, which counts as saved. A dialog that has vanished since it was read has moved: whoever
--          stood still over a wiped board would bring an old offer back, under a name that may have been paid since.
local dialog = redis.call('HMGET', KEYS[1], 'turn', 'body')
if (dialog[1] or '0') ~= ARGV[1] then
  return { 'moved', dialog[2] or '' }
end

redis.call('HSET', KEYS[1], 'turn', ARGV[2], 'body', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { 'saved' }
