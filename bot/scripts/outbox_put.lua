-- Write messages down, once for each key.
-- KEYS[1] queue, KEYS[2] once
-- ARGV[1] seconds to remember the key, ARGV[2] seconds to keep the queue, ARGV[3…] sealed messages
-- Returns 1, or 0 when the messages of this key were put before.
if not redis.call('SET', KEYS[2], '', 'NX', 'EX', ARGV[1]) then
  return 0
end
for place = 3, #ARGV do
  redis.call('RPUSH', KEYS[1], ARGV[place])
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
