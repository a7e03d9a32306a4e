-- A credential at a glance: its record, the time, and its last log entries.
-- KEYS  1 record · 2 log
-- ARGV  1 how many log entries
-- Gives {now (µs), record as fields and values, entries as fields and values, newest first}.
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
