-- Begins an upgrade, or finds the one that is under way.
-- KEYS  1 record · 2 upgrade · 3 log · 4 head
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 credential id · 5 body · 6 tag
--       7 a name for the session · 8 seconds it lives · 9 a binding code, or '' for none
--       10 seconds the binding code lives
-- Gives {'ok', now (µs), session} or {'refused', code}.
local record = redis.call('HMGET', KEYS[1], 's', 'x', 'g', 'l')
local now, status, expiry = microseconds(), record[1], tonumber(record[2])
if expiry and now > expiry * 1000000 and (status == 'active' or status == 'frozen') then
  status = 'expired'
end
if not status or status == 'pending' then
  return {'refused', 'no_card'}
end
if status ~= 'active' then
  return {'refused', status}
end
if record[4] == 'upgraded' then
  return {'refused', 'already_upgraded'}
end
local session = redis.call('HGET', KEYS[2], 'i')
if not session then
  session = ARGV[7]
  local chain = {log = KEYS[3], head = KEYS[4], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
  local seq = append(chain, text(now), ARGV[4], record[3], ARGV[5], ARGV[6])
  redis.call('HSET', KEYS[1], 'g', seq)
  redis.call('HINCRBY', KEYS[1], 'n', 1)
  redis.call('HSET', KEYS[2], 'i', session, 'at', text(now))
  redis.call('EXPIRE', KEYS[2], ARGV[8])
end
if ARGV[9] ~= '' then
  -- A newer code takes the older one's place, and what a terminal began with that one.
  redis.call('HSET', KEYS[2], 'bc', ARGV[9], 'be', text(now + tonumber(ARGV[10]) * 1000000))
  redis.call('HDEL', KEYS[2], 'tn', 'tt', 'te')
end
return {'ok', text(now), session}
