-- Somebody types eight digits: counted by desk, then given what they stand for, once.
-- KEYS  1 the digits · 2 tries of the desk · 3 what this request was given before
-- ARGV  1 wrong tries in a window · 2 window and pause (ms) · 3 how long a request may be
--       repeated (ms)
-- Gives {'code', code}, {'unknown', ''} or {'wait', milliseconds}.
local before = redis.call('GET', KEYS[3])
if before then
  return {'code', before}
end
local wrong = tonumber(redis.call('GET', KEYS[2]) or 0)
if wrong >= tonumber(ARGV[1]) then
  return {'wait', tostring(redis.call('PTTL', KEYS[2]))}
end
local code = redis.call('GET', KEYS[1])
if not code then
  redis.call('SET', KEYS[2], wrong + 1, 'PX', ARGV[2])
  return {'unknown', ''}
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[3], code, 'PX', ARGV[3])
return {'code', code}
