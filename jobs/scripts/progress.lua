-- progress notes how far a running job is.
-- KEYS   1 record  2 stream
-- ARGV   1 owner  2 progress  3 stream max
-- RETURNS  'ok' | 'lost'
local r = redis.call('HMGET', KEYS[1], 'state', 'owner')
if r[1] ~= 'running' or r[2] ~= ARGV[1] then return 'lost' end
redis.call('HSET', KEYS[1], 'progress', ARGV[2])
emit(KEYS[1], KEYS[2], ARGV[3])
return 'ok'
