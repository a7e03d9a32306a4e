-- The holder's answer to a waiting verification.
-- KEYS  1 record · 2 verification · 3 log · 4 head · 5 PIN
--       6 the account that answers · 7 receipts (not in a cluster, where they are elsewhere)
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 credential id · 5 body · 6 tag
--       7 verification id · 8 'accepted' or 'denied'
--       9, 10 body and tag of the freezing, or '' and '' · 11 most receipts that may wait
-- Gives {'ok', status, 1 if the verifier's software will be told} or {'refused', code}.
local held = KEYS[6] and redis.call('GET', KEYS[6])
if held ~= nil and held ~= ARGV[4] then
  return {'refused', held and 'unknown_verification' or 'no_card'}
end
local record = redis.call('HMGET', KEYS[1], 's', 'x', 'w', 'g', 'l')
local asked = redis.call('HMGET', KEYS[2], 'c', 'st', 'ex', 'pn', 'lv')
if asked[1] ~= ARGV[4] or not record[1] then
  return {'refused', 'unknown_verification'}
end
local status, expiry = record[1], tonumber(record[2])
local now = microseconds()
if expiry and now > expiry * 1000000 and (status == 'active' or status == 'frozen') then
  status = 'expired'
end
if status ~= 'active' then
  return {'refused', status}
end
if asked[2] ~= 'awaiting_holder' or record[3] ~= ARGV[7] then
  return {'refused', 'already_answered'}
end
if now > tonumber(asked[3]) then
  return {'refused', 'too_late'}
end
if ARGV[8] == 'accepted' then
  if record[5] ~= asked[5] and record[5] ~= 'upgraded' then -- it fell back since the scan
    return {'refused', 'level_insufficient'}
  end
  if asked[4] == '1' then
    local entered = redis.call('HMGET', KEYS[5], 'gt', 'gu')
    if entered[1] ~= ARGV[7] or now > tonumber(entered[2]) then
      return {'refused', 'pin_required'}
    end
    redis.call('HDEL', KEYS[5], 'gt', 'gu')
  end
end
local chain = {log = KEYS[3], head = KEYS[4], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
local seq = append(chain, text(now), ARGV[4], record[4], ARGV[5], ARGV[6])
if ARGV[9] ~= '' then
  seq = append(chain, text(now), ARGV[4], seq, ARGV[9], ARGV[10])
  status = 'frozen'
  redis.call('HSET', KEYS[1], 's', status, 'b', 'holder')
end
redis.call('HSET', KEYS[1], 'g', seq)
redis.call('HINCRBY', KEYS[1], 'n', 1)
redis.call('HDEL', KEYS[1], 'w')
redis.call('HSET', KEYS[2], 'st', ARGV[8], 'at', text(now))
local told = 0
if KEYS[7] and redis.call('XLEN', KEYS[7]) < tonumber(ARGV[11]) then
  redis.call('XADD', KEYS[7], '*', 'answered', ARGV[7])
  told = 1
end
return {'ok', status, told}
