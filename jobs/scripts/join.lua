-- join adds a request to an unfinished job instead of making another one.
-- KEYS   1 record of that job  2 its audience  3 join  4 index by chat
--        5 idempotency  (4 and 5 stand for the record where unused)
-- ARGV   1 id of that job  2 chat or ''  3 callback URL or ''  4 index member
--        5 seconds an index by chat outlives its last job
--        6 idempotency fingerprint or ''  7 its window ms
--        8 ms after which the caller has given up, or ''
-- RETURNS  {'joined', state} | {'late'}: it had given up | {'gone'}: it ended
--          meanwhile, accept again | {'replay', id, joined} | {'conflict'}
if late(ARGV[8]) then return {'late'} end
if ARGV[6] ~= '' then
  local f = redis.call('HMGET', KEYS[5], 'fingerprint', 'job', 'joined')
  if f[1] then
    if f[1] == ARGV[6] then
      redis.call('HSET', KEYS[5], 'replayed', '1')
      return {'replay', f[2], f[3]}
    end
    return {'conflict'}
  end
end
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return {'gone'} end
local r = redis.call('HMGET', KEYS[1], 'state', 'withdrawn')
local state = r[1]
if not state or final(state) or r[2] then
  redis.call('DEL', KEYS[3])
  return {'gone'}
end
redis.call('HSET', KEYS[1], 'joined', '1')
if ARGV[2] ~= '' then
  redis.call('SADD', KEYS[2], 'c:' .. ARGV[2])
  redis.call('ZADD', KEYS[4], 0, ARGV[4])
  redis.call('EXPIRE', KEYS[4], ARGV[5])
end
if ARGV[3] ~= '' then redis.call('SADD', KEYS[2], 'u:' .. ARGV[3]) end
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[5], 'fingerprint', ARGV[6], 'job', ARGV[1], 'joined', '1')
  redis.call('PEXPIRE', KEYS[5], ARGV[7])
end
return {'joined', state}
