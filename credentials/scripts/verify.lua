-- One verification, in the order of verification.py's list; does all of it or nothing.
-- KEYS  1 record · 2 portrait · 3 log · 4 head · 5 verification · 6 request (the caller's
--       request_id; the verification's key again where it gave none) · 7 PIN
--       8 receipts · 9 everybody's last scans · 10 the verifier's (none of them in a cluster,
--         where they are elsewhere)
--       11 verifier · 12 its API keys · 13 its rate · 14 their last use (only with a pass)
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 credential id
--       5 body, 6 tag of the entry for what is to happen
--       7 verification id · 8 fingerprint of the request · 9 the code's time (µs)
--       10 life of a code (µs) · 11 least level · 12 'accept' or 'ask'
--       13 two-digit number · 14 seconds an approval waits · 15 seconds the verification is kept
--       16 '1' if the portrait is wanted · 17 what a PIN must have been entered for, or ''
--       18 most receipts that may wait · 19 most lines of a list of scans
--       20 SHA-256 of the API key · 21 what is remembered of verifier and key (door.py)
--       22 requests a second · 23 requests at once ('' four times without a pass)
--       24.. fields and values of the verification
-- Gives {outcome, requests left, more}: 'stale' · 'wait', µs to wait · 'refused', code
--    · 'again', verification id
--    · 'accepted' or 'awaiting_holder', now (µs), level, sealed data, sealed portrait, 1 if the
--      holder will be told of it.
local left = 0

-- 5. Who asks is still who we remember, and within its rate.
if KEYS[11] then
  local fields, kept = known(KEYS[11], KEYS[12], ARGV[20])
  if kept == '' or table.concat(fields, '\n') .. '\n' .. kept ~= ARGV[21] then
    return {'stale', 0}
  end
  local rate, wait = fields[6] ~= '' and fields[6] or ARGV[22], 0
  left, wait = counted(KEYS[13], KEYS[14], ARGV[20], rate, ARGV[23])
  if wait > 0 then
    return {'wait', 0, wait}
  end
end

-- 6. The same request again: the same answer. A request id is not for two requests.
local asked_with_id = KEYS[6] ~= KEYS[5]
local before = asked_with_id and redis.call('GET', KEYS[6])
if before then
  local id, fingerprint = string.match(before, '^(%x+) (.*)$')
  if fingerprint ~= ARGV[8] then
    return {'refused', left, 'malformed'}
  end
  return {'again', left, id}
end
if redis.call('EXISTS', KEYS[5]) == 1 then
  return {'again', left, ARGV[7]}
end

-- 7. The credential is known, and active.
local record = redis.call('HMGET', KEYS[1], 's', 'l', 'a', 'x', 'g', 'e', 'w', 'n')
local status, level, last, expiry = record[1], record[2], tonumber(record[3]) or 0, tonumber(record[4])
if not status or status == 'pending' then
  return {'refused', left, 'unknown_code'}
end
local now = microseconds()
if expiry and now > expiry * 1000000 and (status == 'active' or status == 'frozen') then
  status = 'expired'
end
if status ~= 'active' then
  return {'refused', left, status}
end

-- 8. The code is fresh, by this clock, and newer than every code accepted so far.
local issued = tonumber(ARGV[9])
if issued == last then
  return {'refused', left, 'already_used'}
end
local life = tonumber(ARGV[10])
if now > issued + life or issued > now + life then
  return {'refused', left, 'expired'}
end
if issued < last then
  return {'refused', left, 'already_used'}
end

-- 9. The card's level is enough.
local rank = {light = 1, upgraded = 2}
if not rank[level] or not rank[ARGV[11]] or rank[level] < rank[ARGV[11]] then
  return {'refused', left, 'level_insufficient'}
end

-- 9a. Where the purpose needs the PIN, it was entered for it, not long ago, and not used since.
if ARGV[17] ~= '' then
  local entered = redis.call('HMGET', KEYS[7], 'gt', 'gu')
  if entered[1] ~= ARGV[17] or now > tonumber(entered[2]) then
    return {'refused', left, 'expired'}
  end
end

-- 10. What is answered can be answered.
local portrait = ''
if ARGV[16] == '1' and ARGV[12] == 'accept' then
  portrait = redis.call('GET', KEYS[2])
end
if not record[6] or not portrait then
  return {'refused', left, 'unavailable'}
end

-- 11. Logged, then used up, then remembered for whoever asks again, and passed on to the holder.
local chain = {log = KEYS[3], head = KEYS[4], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
local seq = append(chain, text(now), ARGV[4], record[5], ARGV[5], ARGV[6])
local state, waits = 'accepted', ''
local changed = {'a', ARGV[9], 'g', seq, 'n', string.format('%d', (tonumber(record[8]) or 0) + 1)}
if ARGV[17] ~= '' then
  redis.call('HDEL', KEYS[7], 'gt', 'gu')
end
if ARGV[12] == 'ask' then
  state, waits = 'awaiting_holder', text(now + tonumber(ARGV[14]) * 1000000)
  changed[7], changed[8] = 'w', ARGV[7]
elseif record[7] then
  redis.call('HDEL', KEYS[1], 'w')
end
redis.call('HSET', KEYS[1], unpack(changed))
redis.call('HSET', KEYS[5], 'st', state, 'at', text(now), 'ex', waits, 'nu', ARGV[13],
  'lv', level, 'c', ARGV[4], unpack(ARGV, 24))
redis.call('EXPIRE', KEYS[5], ARGV[15])
if asked_with_id then
  redis.call('SET', KEYS[6], ARGV[7] .. ' ' .. ARGV[8], 'EX', ARGV[15])
end
local told = 0
if KEYS[8] then
  if redis.call('XLEN', KEYS[8]) < tonumber(ARGV[18]) then
    redis.call('XADD', KEYS[8], '*', state, ARGV[7])
    told = 1
  end
  redis.call('XADD', KEYS[9], 'MAXLEN', '~', ARGV[19], '*', 'v', ARGV[7])
  redis.call('XADD', KEYS[10], 'MAXLEN', '~', ARGV[19], '*', 'v', ARGV[7])
end
return {state, left, text(now), level, record[6], portrait, told}
