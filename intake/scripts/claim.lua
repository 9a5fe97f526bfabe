-- claim remembers the first request under a key.
-- KEYS   1 the memory of the key
-- ARGV   1 id of the request  2 when it came, ms  3 its content, hashed  4 for how
--        long it is remembered, ms
-- RETURNS  {} if it is the first | {id, when, content, answer or ''} of the first
local r = redis.call('HMGET', KEYS[1], 'id', 'at', 'content', 'answer')
if r[1] then return {r[1], r[2], r[3], r[4] or ''} end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'at', ARGV[2], 'content', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {}
