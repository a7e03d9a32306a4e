-- A fresh face was seen: a PIN may be set, at once if there is none, else after the cool-off.
-- KEYS  1 record · 2 PIN · 3 log · 4 head
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 credential id · 5 body · 6 tag
--       7 seconds of the cool-off · 8 seconds that it may be set for
-- Gives {'ok', from when (µs), until when (µs)} or {'refused', code}.
local record = redis.call('HMGET', KEYS[1], 's', 'l', 'x', 'g')
local now, status, expiry = microseconds(), record[1], tonumber(record[3])
if expiry and now > expiry * 1000000 and status == 'active' then
  status = 'expired'
end
if status ~= 'active' then
  return {'refused', status or 'no_card'}
end
if record[2] ~= 'upgraded' then
  return {'refused', 'level_insufficient'}
end
local from = now
if redis.call('HEXISTS', KEYS[2], 'h') == 1 then
  from = now + tonumber(ARGV[7]) * 1000000
end
local untl = from + tonumber(ARGV[8]) * 1000000
local chain = {log = KEYS[3], head = KEYS[4], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
local seq = append(chain, text(now), ARGV[4], record[4], ARGV[5], ARGV[6])
redis.call('HSET', KEYS[1], 'g', seq)
redis.call('HINCRBY', KEYS[1], 'n', 1)
redis.call('HSET', KEYS[2], 'sa', text(from), 'su', text(untl))
return {'ok', text(from), text(untl)}
