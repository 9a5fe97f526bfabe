-- leave says that a host's process is gone, unless another has replaced it.
-- KEYS   1 registration  2 info
-- ARGV   1 machine  2 process  3 info
-- RETURNS  'ok' | 'replaced'
local r = redis.call('HMGET', KEYS[1], 'machine', 'process')
if r[1] ~= ARGV[1] or r[2] ~= ARGV[2] then return 'replaced' end
redis.call('HSET', KEYS[1], 'until', '0')
redis.call('SET', KEYS[2], ARGV[3])
return 'ok'
