-- Writes one entry of the administration chain.
-- KEYS  1 log · 2 head
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 whom it is about · 5 body · 6 tag
-- Gives the entry's number.
local chain = {log = KEYS[1], head = KEYS[2], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
return append(chain, text(microseconds()), ARGV[4], '0', ARGV[5], ARGV[6])
