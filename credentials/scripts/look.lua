-- A credential at a glance: its record, the time, and its last log entries.
-- KEYS  1 record · 2 log · 3 an account (not in a cluster, where it is elsewhere)
-- ARGV  1 how many log entries · 2 credential id that the account must hold (only with an account)
-- Gives {now (µs), record as fields and values, entries as fields and values, newest first},
--    or nothing where the account holds another card, or none.
if KEYS[3] and redis.call('GET', KEYS[3]) ~= ARGV[2] then
  return false
end
local record = redis.call('HGETALL', KEYS[1])
local entries = {}
local seq = tonumber(redis.call('HGET', KEYS[1], 'g')) or 0
while seq > 0 and #entries < tonumber(ARGV[1]) do
  local id = string.format('%d-0', seq)
  local found = redis.call('XRANGE', KEYS[2], id, id)[1]
  if not found then
    break -- archived and trimmed
  end
  entries[#entries + 1] = found[2]
  seq = 0
  for i = 1, #found[2], 2 do
    if found[2][i] == 'q' then
      seq = tonumber(found[2][i + 1])
    end
  end
end
local time = redis.call('TIME')
return {tonumber(time[1]) * 1000000 + tonumber(time[2]), record, entries}
