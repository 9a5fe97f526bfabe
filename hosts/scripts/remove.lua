-- remove begins to remove a host: from here on it is looked after until nothing
-- is left of it, unless it registers again.
-- KEYS   1 registration  2 hosts  3 removed
-- ARGV   1 name  2 now ms
-- RETURNS  'ok' | 'online' | 'unknown'
if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 0 then return 'unknown' end
-- What is no hash there says nothing, whoever put it there.
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then redis.call('DEL', KEYS[1]) end
if tonumber(redis.call('HGET', KEYS[1], 'until') or '0') > tonumber(ARGV[2]) then return 'online' end
redis.call('HSET', KEYS[1], 'removing', '1')
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
return 'ok'
