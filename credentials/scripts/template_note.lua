-- Note that a face template was put, kept or dropped, so that every worker's memory follows.
-- KEYS[1] {templates}:ids  KEYS[2] {templates}:n  KEYS[3] {templates}:changes
-- ARGV[1] its id  ARGV[2] 'put' or 'drop'  ARGV[3] how many changes are kept
-- Gives the number of the change.
if ARGV[2] == 'put' then
  redis.call('SADD', KEYS[1], ARGV[1])
else
  redis.call('SREM', KEYS[1], ARGV[1])
end
local number = redis.call('INCR', KEYS[2])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], number .. '-0', 't', ARGV[1])
return number
