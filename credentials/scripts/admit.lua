-- Who asks with this key, and may they ask now: one round trip for both.
-- KEYS 1 hash of the verifier   2 hash of its API keys by SHA-256   3 its rate (a time, in microseconds)
--      4 hash: when each key was last used, to the minute
-- ARGV 1 SHA-256 of the key shown, hex   2 requests a second   3 requests at once
-- Gives {fields n p b u c r, what is kept of the key or '', requests left, microseconds to wait}.
-- Only a right key is counted: who knows no key cannot use up somebody's rate.
local fields, kept = known(KEYS[1], KEYS[2], ARGV[1])
if kept == '' then
  return {fields, kept, 0, 0}
end
local rate = fields[6] ~= '' and fields[6] or ARGV[2]
local left, wait = counted(KEYS[3], KEYS[4], ARGV[1], rate, ARGV[3])
return {fields, kept, left, wait}
