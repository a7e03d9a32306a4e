-- Strike off what was dealt with, and give out the next message under the lock.
-- KEYS[1] queue, KEYS[2] tries, KEYS[3] pause, KEYS[4] lock
-- ARGV[1] who asks, ARGV[2] the lock's life in ms, ARGV[3] the message that was dealt with, or empty
-- Returns how, and the message: "next"; "paused", the first is tried again later; "busy", another
-- one delivers; "nothing", and the lock is free again.
if ARGV[3] ~= '' and redis.call('LINDEX', KEYS[1], 0) == ARGV[3] then
  redis.call('LPOP', KEYS[1])
  redis.call('DEL', KEYS[2])
end
if redis.call('GET', KEYS[4]) ~= ARGV[1] then
  if redis.call('EXISTS', KEYS[3]) == 1 then
    return {'paused', ''}
  end
  if not redis.call('SET', KEYS[4], ARGV[1], 'NX', 'PX', ARGV[2]) then
    return {'busy', ''}
  end
end
local message = redis.call('LINDEX', KEYS[1], 0)
if not message then
  redis.call('DEL', KEYS[4])
  return {'nothing', ''}
end
redis.call('PEXPIRE', KEYS[4], ARGV[2])
return {'next', message}
