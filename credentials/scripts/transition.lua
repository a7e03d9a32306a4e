-- Moves a credential along an arrow of its life, and logs it.
-- KEYS  1 record · 2 portrait · 3 log · 4 head · 5 index of ends
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 credential id · 5 body · 6 tag
--       7 new status, or '' to keep it · 8 statuses it may come from, joined by commas
--       9 'erase' to delete the personal data with it, or '' · 10 who does it: 'holder', 'system'
--       (at the authority's word) or 'operator'
-- Gives {'ok', status} or {'refused', status}; the status is '' where there is no record. A third
--    value, who froze it, where that one's word outweighs that of whoever wants it unfrozen.
local function weight(who)
  return ({holder = 1, system = 2})[who] or 3 -- a freeze of which nobody says whose it is counts most
end
local record = redis.call('HMGET', KEYS[1], 's', 'x', 'g', 'b')
local status, expiry = record[1], tonumber(record[2])
if not status then
  return {'refused', ''}
end
local now = microseconds()
if expiry and now > expiry * 1000000 and (status == 'active' or status == 'frozen') then
  status = 'expired'
  -- Lazily expired is not yet written down: writing it down is the one arrow that is left.
  if ARGV[7] == 'expired' and record[1] ~= 'expired' then
    status = record[1]
  end
end
local here, by = weight(record[4]), weight(ARGV[10])
if status == 'frozen' and ARGV[7] == 'active' and by < here then
  return {'refused', status, record[4] or ''}
end
-- A freeze takes the place of a lighter one: else whoever froze first could undo both.
local takes_over = status == 'frozen' and ARGV[7] == 'frozen' and by > here
if not takes_over and not string.find(',' .. ARGV[8] .. ',', ',' .. status .. ',', 1, true) then
  return {'refused', status}
end
local chain = {log = KEYS[3], head = KEYS[4], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
local seq = append(chain, text(now), ARGV[4], record[3], ARGV[5], ARGV[6])
local next_status = ARGV[7] ~= '' and ARGV[7] or status
redis.call('HSET', KEYS[1], 's', next_status, 'g', seq)
redis.call('HINCRBY', KEYS[1], 'n', 1)
redis.call('HDEL', KEYS[1], 'w')
if next_status == 'frozen' then
  redis.call('HSET', KEYS[1], 'b', ARGV[10])
else
  redis.call('HDEL', KEYS[1], 'b')
end
if ARGV[9] == 'erase' then
  redis.call('HDEL', KEYS[1], 'e')
  redis.call('DEL', KEYS[2])
end
if record[1] == 'pending' and next_status == 'active' then
  redis.call('PERSIST', KEYS[1])
  redis.call('PERSIST', KEYS[2])
  if expiry then
    redis.call('ZADD', KEYS[5], record[2], ARGV[4])
  end
elseif next_status == 'revoked' or next_status == 'expired' then
  redis.call('ZREM', KEYS[5], ARGV[4])
end
return {'ok', next_status}
