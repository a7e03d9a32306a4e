-- Keys of one hash tag as they are at one moment.
-- KEYS  any number, of one tag
-- Gives for each key that is there: its place in KEYS, when it ends (ms since 1970, '0': never), its dump.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local found = {}
for place, key in ipairs(KEYS) do
  local dump = redis.call('DUMP', key)
  if dump then
    local left = redis.call('PTTL', key)
    found[#found + 1] = place
    found[#found + 1] = left < 0 and '0' or string.format('%.0f', now + left)
    found[#found + 1] = dump
  end
end
return found
