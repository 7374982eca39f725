-- Gives a node's lease back when its process ends, so that its routes stop counting at once.
--
-- KEYS[1]  node:<node>, a string
-- ARGV     incarnation (random per start of the process)
-- Replies  dropped | not_held (another process of this name has the lease, or it has lapsed)
-- Atomic   comparing the incarnation and deleting the lease, so that a successor's lease stays.
-- Repeated not_held.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 'not_held' }
end
redis.call('DEL', KEYS[1])
return { 'dropped' }
