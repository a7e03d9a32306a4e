-- Give the lock back, if it is still held by this one.
-- KEYS[1] lock   ARGV[1] who
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
