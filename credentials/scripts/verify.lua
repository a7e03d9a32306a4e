-- One verification, in the order of verification.py's list; does all of it or nothing.
-- KEYS  1 record · 2 portrait · 3 log · 4 head · 5 verification · 6 request (the caller's
--       request_id; the verification's key again where it gave none) · 7 PIN
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 credential id
--       5 body, 6 tag of the entry for what is to happen
--       7 verification id · 8 fingerprint of the request · 9 the code's time (µs)
--       10 life of a code (µs) · 11 least level · 12 'accept' or 'ask'
--       13 two-digit number · 14 seconds an approval waits · 15 seconds the verification is kept
--       16 '1' if the portrait is wanted · 17 what a PIN must have been entered for, or ''
--       18.. fields and values of the verification
-- Gives {'refused', code} or {'again', verification id}
--    or {'accepted' | 'awaiting_holder', now (µs), level, sealed data, sealed portrait}.
local asked_with_id = KEYS[6] ~= KEYS[5]

-- 5. The same request again: the same answer. A request id is not for two requests.
local before = asked_with_id and redis.call('GET', KEYS[6])
if before then
  local id, fingerprint = string.match(before, '^(%x+) (.*)$')
  if fingerprint ~= ARGV[8] then
    return {'refused', 'malformed'}
  end
  return {'again', id}
end
if redis.call('EXISTS', KEYS[5]) == 1 then
  return {'again', ARGV[7]}
end

-- 6. The credential is known, and active.
local record = redis.call('HMGET', KEYS[1], 's', 'l', 'a', 'x', 'g', 'e')
local status, level, last, expiry = record[1], record[2], tonumber(record[3]) or 0, tonumber(record[4])
if not status or status == 'pending' then
  return {'refused', 'unknown_code'}
end
local now = microseconds()
if expiry and now > expiry * 1000000 and (status == 'active' or status == 'frozen') then
  status = 'expired'
end
if status ~= 'active' then
  return {'refused', status}
end

-- 7. The code is fresh, by this clock, and newer than every code accepted so far.
local issued = tonumber(ARGV[9])
if issued == last then
  return {'refused', 'already_used'}
end
local life = tonumber(ARGV[10])
if now > issued + life or issued > now + life then
  return {'refused', 'expired'}
end
if issued < last then
  return {'refused', 'already_used'}
end

-- 8. The card's level is enough.
local rank = {light = 1, upgraded = 2}
if not rank[level] or not rank[ARGV[11]] or rank[level] < rank[ARGV[11]] then
  return {'refused', 'level_insufficient'}
end

-- 8a. Where the purpose needs the PIN, it was entered for it, not long ago, and not used since.
if ARGV[17] ~= '' then
  local entered = redis.call('HMGET', KEYS[7], 'gt', 'gu')
  if entered[1] ~= ARGV[17] or now > tonumber(entered[2]) then
    return {'refused', 'expired'}
  end
end

-- 9. What is answered can be answered.
local portrait = ''
if ARGV[16] == '1' and ARGV[12] == 'accept' then
  portrait = redis.call('GET', KEYS[2])
end
if not record[6] or not portrait then
  return {'refused', 'unavailable'}
end

-- 10. Logged, then used up, then remembered for whoever asks again.
local chain = {log = KEYS[3], head = KEYS[4], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
local seq = append(chain, text(now), ARGV[4], record[5], ARGV[5], ARGV[6])
local state, waits = 'accepted', ''
if ARGV[17] ~= '' then
  redis.call('HDEL', KEYS[7], 'gt', 'gu')
end
if ARGV[12] == 'ask' then
  state, waits = 'awaiting_holder', text(now + tonumber(ARGV[14]) * 1000000)
  redis.call('HSET', KEYS[1], 'w', ARGV[7])
else
  redis.call('HDEL', KEYS[1], 'w')
end
redis.call('HSET', KEYS[1], 'a', ARGV[9], 'g', seq)
redis.call('HINCRBY', KEYS[1], 'n', 1)
redis.call('HSET', KEYS[5], 'st', state, 'at', text(now), 'ex', waits, 'nu', ARGV[13],
  'lv', level, 'c', ARGV[4], unpack(ARGV, 18))
redis.call('EXPIRE', KEYS[5], ARGV[15])
if asked_with_id then
  redis.call('SET', KEYS[6], ARGV[7] .. ' ' .. ARGV[8], 'EX', ARGV[15])
end
return {state, text(now), level, record[6], portrait}
