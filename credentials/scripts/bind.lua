-- Records bindings with their evidence; all three, fresh, in one session, make the upgraded card.
-- KEYS  1 record · 2 upgrade · 3 log · 4 head · 5 PIN
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 credential id · 5 session
--       6 how old a binding may be (µs) · 7 seconds in which the first PIN may be set
--       8 body, 9 tag of the entry for the upgraded level · 10.. kind, body, tag of each binding
-- Gives {'ok', 'light' | 'upgraded'} or {'refused', code}.
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
if redis.call('HGET', KEYS[2], 'i') ~= ARGV[5] then
  return {'refused', 'no_upgrade'}
end
local chain = {log = KEYS[3], head = KEYS[4], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
local seq = record[3]
for i = 10, #ARGV, 3 do
  seq = append(chain, text(now), ARGV[4], seq, ARGV[i + 1], ARGV[i + 2])
  redis.call('HSET', KEYS[2], ARGV[i], text(now))
end
local level, oldest = 'upgraded', now - tonumber(ARGV[6])
for _, bound in ipairs(redis.call('HMGET', KEYS[2], 'chip', 'fingerprint', 'face')) do
  if not bound or tonumber(bound) < oldest then
    level = 'light'
  end
end
if level == 'upgraded' then
  seq = append(chain, text(now), ARGV[4], seq, ARGV[8], ARGV[9])
  redis.call('HSET', KEYS[1], 'l', level)
  redis.call('DEL', KEYS[2])
  -- A PIN of an earlier upgrade is not this one's.
  redis.call('DEL', KEYS[5])
  redis.call('HSET', KEYS[5], 'sa', text(now), 'su', text(now + tonumber(ARGV[7]) * 1000000))
end
redis.call('HSET', KEYS[1], 'g', seq)
redis.call('HINCRBY', KEYS[1], 'n', 1)
return {'ok', level}
