-- seen looks whether a request under an Idempotency-Key has a job already, and
-- relies on it.
-- KEYS   1 idempotency
-- ARGV   1 fingerprint  2 ms after which the caller has given up, or ''
-- RETURNS  {'new'} | {'late'}: it had given up | {'conflict'} |
--          {'replay', id, joined}
if late(ARGV[2]) then return {'late'} end
local f = redis.call('HMGET', KEYS[1], 'fingerprint', 'job', 'joined')
if not f[1] then return {'new'} end
if f[1] ~= ARGV[1] then return {'conflict'} end
redis.call('HSET', KEYS[1], 'replayed', '1')
return {'replay', f[2], f[3]}
