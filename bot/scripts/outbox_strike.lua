-- Strike the first message off, if it is still the one that was dealt with.
-- KEYS[1] queue, KEYS[2] tries
-- ARGV[1] the sealed message
if redis.call('LINDEX', KEYS[1], 0) == ARGV[1] then
  redis.call('LPOP', KEYS[1])
  redis.call('DEL', KEYS[2])
end
