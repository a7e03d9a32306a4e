-- Put a case before the reviewers; one that is there already stays as it is.
-- KEYS[1] {review:<id>}  KEYS[2] {review:<id>}:images
-- ARGV[1] the deadline, seconds since 1970  ARGV[2] seconds until it  ARGV[3] seconds until forgotten
-- ARGV[4] how many pairs of the record follow; the rest are pairs of the images
-- Gives the state it is in, and since when it has been here.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.call('HMGET', KEYS[1], 's', 't')
end
local last = 4 + 2 * tonumber(ARGV[4])
redis.call('HSET', KEYS[1], 's', 'waiting', 'e', ARGV[1], unpack(ARGV, 5, last))
redis.call('EXPIRE', KEYS[1], ARGV[3])
if #ARGV > last then
  redis.call('HSET', KEYS[2], unpack(ARGV, last + 1))
  redis.call('EXPIRE', KEYS[2], ARGV[2])
end
return redis.call('HMGET', KEYS[1], 's', 't')
