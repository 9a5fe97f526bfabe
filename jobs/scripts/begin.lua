-- begin gives a request under an Idempotency-Key its turn, or the answer that
-- an earlier one got.
-- KEYS   1 answer
-- ARGV   1 fingerprint  2 who asks  3 now ms  4 ms until which the turn is
--        believed under way  5 ms that the key is remembered
--        6 ms after which the caller has given up, or ''
-- RETURNS  {'begun'} | {'late'}: it had given up | {'conflict'} | {'running'} |
--          {'answered', status, header, body}
if late(ARGV[6]) then return {'late'} end
local r = redis.call('HMGET', KEYS[1], 'fingerprint', 'owner', 'until', 'status', 'header', 'body')
if r[1] and r[1] ~= ARGV[1] then return {'conflict'} end
if r[4] then return {'answered', r[4], r[5], r[6]} end
if r[2] and r[2] ~= ARGV[2] and tonumber(r[3]) > tonumber(ARGV[3]) then return {'running'} end
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'owner', ARGV[2], 'until', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {'begun'}
