-- A write after the last one to a record, so that WAIT has something to wait for.
-- KEYS  1 record
-- Gives the record's status, or '' where there is no record.
local status = redis.call('HGET', KEYS[1], 's')
if not status then
  return ''
end
redis.call('HINCRBY', KEYS[1], 'n', 0)
return status
