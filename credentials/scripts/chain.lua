-- The audit chain, put before every script that writes to it (see store.py and audit.py).
-- An entry's stream id is its number, `<seq>-0`; its mac covers the mac before it.
--   t time (µs) · c whom it is about · q number of the previous entry about the same · d what
--   happened (JSON) · h the application's tag of c and d · k key version · m mac
-- `chain` names the keys log and head, the key version, and the two halves of the chain's key.

local function mac_of(chain, prev, seq, now, about, back, body, tag)
  local entry = table.concat({prev, seq, chain.version, now, about, back, tag, body}, '\n')
  return redis.sha1hex(chain.outer .. redis.sha1hex(chain.inner .. entry))
end

local function append(chain, now, about, back, body, tag)
  local at = redis.call('HMGET', chain.head, 'n', 'm')
  local seq = string.format('%d', (tonumber(at[1]) or 0) + 1)
  local mac = mac_of(chain, at[2] or '', seq, now, about, back, body, tag)
  redis.call('XADD', chain.log, seq .. '-0', 't', now, 'c', about, 'q', back, 'd', body,
    'h', tag, 'k', chain.version, 'm', mac)
  redis.call('HSET', chain.head, 'n', seq, 'm', mac)
  return seq
end

local function microseconds()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function text(number)
  return string.format('%.0f', number)
end
