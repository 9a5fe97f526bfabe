-- note writes an entry of the log, and takes out what is too old or too many.
-- KEYS   1 the ids by time (a sorted set)  2 the entries (a hash)
-- ARGV   1 id  2 when, ms  3 the entry  4 how many are kept  5 the oldest, ms
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
local old = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[5], 'LIMIT', 0, 100)
local over = redis.call('ZCARD', KEYS[1]) - #old - tonumber(ARGV[4])
if over > 0 then
  local more = redis.call('ZRANGE', KEYS[1], #old, #old + math.min(over, 100) - 1)
  for i = 1, #more do old[#old + 1] = more[i] end
end
if #old > 0 then
  redis.call('ZREM', KEYS[1], unpack(old))
  redis.call('HDEL', KEYS[2], unpack(old))
end
return #old
