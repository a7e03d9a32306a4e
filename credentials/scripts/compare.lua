-- One step of comparing a guest with their portrait, see comparisons.py; all of it or nothing.
-- KEYS  1 record · 2 verification · 3 log · 4 head · 5 comparison
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 credential id
--       5 body, 6 tag of the entry, or '' and '' where there is nothing to log
--       7 verification id · 8 step: ask, agree, decline, take, finish, decide or end
--       9 seconds that the new state lasts · 10 how old a verification may be (µs)
--       11 most pictures · 12 what came out of it, or ''
-- Gives {'ok', state} or {'refused', code}.
local step = ARGV[8]
local asked = redis.call('HMGET', KEYS[2], 'c', 'st', 'at')
if asked[1] ~= ARGV[4] or asked[2] ~= 'accepted' then
  return {'refused', 'unknown_verification'}
end
local now = microseconds()
if now > tonumber(asked[3]) + tonumber(ARGV[10]) then
  return {'refused', 'too_late'}
end
local record = redis.call('HMGET', KEYS[1], 's', 'x', 'g')
local status, expiry = record[1], tonumber(record[2])
if status == 'active' and expiry and now > expiry * 1000000 then
  status = 'expired'
end
if status ~= 'active' then
  return {'refused', status or 'unknown_verification'}
end

local function forget() -- the question that the holder's page shows, unless it is another desk's
  if redis.call('HGET', KEYS[1], 'f') == ARGV[7] then
    redis.call('HDEL', KEYS[1], 'f')
  end
end

local known = redis.call('HMGET', KEYS[5], 'st', 'ex', 't')
local state, pictures = known[1] or '', tonumber(known[3]) or 0
local waits = state == 'asked' or state == 'agreed'
if waits and now > tonumber(known[2]) then
  state, waits = 'over', false
end
local after = {ask = 'asked', agree = 'agreed', decline = 'declined', take = 'agreed', finish = state}
if step == 'ask' and state ~= '' then -- a guest is asked once; who did not agree is left alone
  return {'refused', 'already_answered'}
elseif step == 'agree' and state ~= 'asked' or step == 'decline' and not waits then
  return {'refused', state == 'over' and 'too_late' or 'already_answered'}
elseif (step == 'take' or step == 'finish') and state ~= 'agreed' then
  return {'refused', 'not_agreed'}
elseif step == 'take' and pictures >= tonumber(ARGV[11]) then
  return {'refused', 'too_many_requests'}
end

local next_state = after[step] or state
if step == 'finish' and ARGV[12] ~= 'unclear' then
  next_state = 'compared'
end
if ARGV[5] ~= '' then
  local chain = {log = KEYS[3], head = KEYS[4], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
  redis.call('HSET', KEYS[1], 'g', append(chain, text(now), ARGV[4], record[3], ARGV[5], ARGV[6]))
  redis.call('HINCRBY', KEYS[1], 'n', 1)
end
if step == 'decide' or step == 'end' then
  if waits then -- nobody waits for the guest any more, and their page says so
    redis.call('HSET', KEYS[5], 'st', 'over')
    forget()
    state = 'over'
    if ARGV[5] == '' then -- an entry has counted already
      redis.call('HINCRBY', KEYS[1], 'n', 1)
    end
  end
  return {'ok', state}
end
redis.call('HSET', KEYS[5], 'st', next_state)
redis.call('EXPIRE', KEYS[5], math.ceil(tonumber(ARGV[10]) / 1000000))
if step == 'take' then
  redis.call('HINCRBY', KEYS[5], 't', 1)
elseif step == 'finish' then
  redis.call('HSET', KEYS[5], 'o', ARGV[12])
else
  redis.call('HSET', KEYS[5], 'ex', text(now + tonumber(ARGV[9]) * 1000000))
end
if next_state == 'asked' or next_state == 'agreed' then
  redis.call('HSET', KEYS[1], 'f', ARGV[7])
else
  forget()
end
return {'ok', next_state}
