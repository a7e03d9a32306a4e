-- Take a conversation: refuse a turn that was heard before, lock, and read, all at once.
-- KEYS[1] {holder}:talk   hash of the conversation; field d: the last turns heard
-- KEYS[2] {holder}:given  sealed personal data
-- KEYS[3] {holder}:lock   who is working on it
-- KEYS[4] {holder}:outbox:kept  messages that were kept for this person's next turn
-- KEYS[5] {holder}:answer  what the last turn was answered, sealed, for a while
-- ARGV[1] the turn's mark, or empty   ARGV[2] the taker's token   ARGV[3] lock's life in ms
-- Gives {'heard', answer or false, ms that it lives on}, {'busy'}, or {'taken', fields, given or false, 1 if messages were kept}.
if ARGV[1] ~= '' then
  local heard = redis.call('HGET', KEYS[1], 'd')
  if heard and string.find(heard, ARGV[1], 1, true) then
    return {'heard', redis.call('GET', KEYS[5]), redis.call('PTTL', KEYS[5])}
  end
end
if not redis.call('SET', KEYS[3], ARGV[2], 'NX', 'PX', ARGV[3]) then
  return {'busy'}
end
return {'taken', redis.call('HGETALL', KEYS[1]), redis.call('GET', KEYS[2]),
  redis.call('EXISTS', KEYS[4])}
