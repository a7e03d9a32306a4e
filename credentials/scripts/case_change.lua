-- Changes a case, or adds a note to it, and writes that down.
-- KEYS  1 log · 2 head · 3 case · 4 open cases by time · 5 notes
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 case id · 5 body · 6 tag
--       7 new status, or '' · 8 owner, or '' to keep it · 9 sealed note, or ''
-- Gives {'ok', fields and values} or {'refused', status}; the status is '' without such a case.
local status = redis.call('HGET', KEYS[3], 's')
if not status or status == 'closed' then
  return {'refused', status or ''}
end
local chain = {log = KEYS[1], head = KEYS[2], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
append(chain, text(microseconds()), ARGV[4], '0', ARGV[5], ARGV[6])
if ARGV[7] ~= '' then
  redis.call('HSET', KEYS[3], 's', ARGV[7])
end
if ARGV[8] ~= '' then
  redis.call('HSET', KEYS[3], 'o', ARGV[8])
end
if ARGV[9] ~= '' then
  redis.call('RPUSH', KEYS[5], ARGV[9])
end
if ARGV[7] == 'closed' then
  redis.call('ZREM', KEYS[4], ARGV[4])
end
return {'ok', redis.call('HGETALL', KEYS[3])}
