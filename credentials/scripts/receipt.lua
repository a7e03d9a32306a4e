-- In a cluster: the receipt of what was decided, which other scripts leave by themselves elsewhere.
-- KEYS  1 receipts · 2 everybody's last scans (of a scan only)
-- ARGV  1 'accepted', 'awaiting_holder' or 'answered' · 2 verification id
--       3 most receipts that may wait · 4 most lines of a list of scans
-- Gives 1 if it will be told.
local told = 0
if redis.call('XLEN', KEYS[1]) < tonumber(ARGV[3]) then
  redis.call('XADD', KEYS[1], '*', ARGV[1], ARGV[2])
  told = 1
end
if KEYS[2] then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', 'v', ARGV[2])
end
return told
