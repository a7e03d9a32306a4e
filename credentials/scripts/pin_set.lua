-- Sets a PIN: after a fresh face, or in place of one that was just entered.
-- KEYS  1 record · 2 PIN · 3 log · 4 head
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 credential id · 5 body · 6 tag
--       7 the new PIN, sealed · 8 the sealed PIN that was entered, or ''
-- Gives {'ok'} or {'refused', code, when it may be set (µs)}.
local record = redis.call('HMGET', KEYS[1], 's', 'l', 'x', 'g')
local kept = redis.call('HMGET', KEYS[2], 'h', 'sa', 'su')
local now, status, expiry = microseconds(), record[1], tonumber(record[3])
if expiry and now > expiry * 1000000 and status == 'active' then
  status = 'expired'
end
if ARGV[8] ~= '' and kept[1] == ARGV[8] then
  redis.call('HSET', KEYS[2], 'f', 0) -- it was right, whatever the card's status makes of it
end
if status ~= 'active' then
  return {'refused', status or 'no_card'}
end
if record[2] ~= 'upgraded' then
  return {'refused', 'level_insufficient'}
end
if ARGV[8] ~= '' then
  if kept[1] ~= ARGV[8] then
    return {'refused', 'wrong_pin'}
  end
else
  local from, untl = tonumber(kept[2]), tonumber(kept[3])
  if not from or now > untl then
    return {'refused', 'pin_needs_face'}
  end
  if now < from then
    return {'refused', 'pin_cooling', kept[2]}
  end
end
local chain = {log = KEYS[3], head = KEYS[4], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
local seq = append(chain, text(now), ARGV[4], record[4], ARGV[5], ARGV[6])
redis.call('HSET', KEYS[1], 'g', seq)
redis.call('HINCRBY', KEYS[1], 'n', 1)
redis.call('HSET', KEYS[2], 'h', ARGV[7], 'f', 0)
redis.call('HDEL', KEYS[2], 'sa', 'su', 'gt', 'gu')
return {'ok'}
