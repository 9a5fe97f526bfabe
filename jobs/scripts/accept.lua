-- accept commits a new job: record, indexes, join key, idempotency key,
-- job_event and asynq's task at once. Nothing of it exists before, all of it
-- after.
-- KEYS   1 record  2 pointer  3 idempotency  4 join  5 order  6 open  7 stream
--        8 index by type  9 by chat  10 by host  11 audience
--        12 asynq:queues  13 asynq task  14 asynq pending or scheduled
--        (those a job doesn't use stand for its record and are not touched)
-- ARGV   1 id  2 now ms  3 idempotency fingerprint or ''  4 its window ms
--        5 '1' if it joins  6 '1' if it is ordered  7 chat or ''
--        8 callback URL or ''  9 host or ''  10 index member  11 stream max
--        12 seconds an index by chat outlives its last job
--        13..18 task  19 ms after which the caller has given up, or ''
--        20.. fields of the record
-- RETURNS  {'accepted'} | {'late'}: it had given up | {'exists'} | {'replay', id, joined} | {'conflict'} |
--          {'join', id}: that job is unfinished, call join
if redis.call('EXISTS', KEYS[1]) == 1 then return {'exists'} end
if late(ARGV[19]) then return {'late'} end
if ARGV[3] ~= '' then
  local f = redis.call('HMGET', KEYS[3], 'fingerprint', 'job', 'joined')
  if f[1] then
    if f[1] == ARGV[3] then
      redis.call('HSET', KEYS[3], 'replayed', '1')
      return {'replay', f[2], f[3]}
    end
    return {'conflict'}
  end
end
if ARGV[5] == '1' then
  local other = redis.call('SET', KEYS[4], ARGV[1], 'NX', 'GET')
  if other then return {'join', other} end
end
redis.call('HSET', KEYS[1], unpack(ARGV, 20))
local head = true
if ARGV[6] == '1' then head = redis.call('RPUSH', KEYS[5], ARGV[1]) == 1 end
redis.call('ZADD', KEYS[6], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[8], 0, ARGV[10])
if ARGV[9] ~= '' then
  redis.call('SET', KEYS[2], ARGV[9])
  redis.call('ZADD', KEYS[10], 0, ARGV[10])
end
if ARGV[7] ~= '' then
  redis.call('ZADD', KEYS[9], 0, ARGV[10])
  redis.call('EXPIRE', KEYS[9], ARGV[12])
  redis.call('SADD', KEYS[11], 'c:' .. ARGV[7])
end
if ARGV[8] ~= '' then redis.call('SADD', KEYS[11], 'u:' .. ARGV[8]) end
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[3], 'fingerprint', ARGV[3], 'job', ARGV[1], 'joined', '')
  redis.call('PEXPIRE', KEYS[3], ARGV[4])
end
if head then
  enqueue(KEYS[12], KEYS[13], KEYS[14], task(13))
else
  redis.call('HSET', KEYS[1], 'waiting', '1')
end
local r = {}
for i = 20, #ARGV, 2 do r[ARGV[i]] = ARGV[i + 1] end
tell(r, KEYS[7], ARGV[11])
return {'accepted'}
