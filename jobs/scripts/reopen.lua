-- reopen runs an ended job again, as its next attempt.
-- KEYS   1 record  2 open  3 stream  4 join  5 order  6 asynq:queues
--        7 new asynq task  8 asynq pending  9 owed  (4 and 5 stand for the
--        record where unused)
-- ARGV   1 id  2 attempt it ended with  3 now ms  4 '1' if it joins
--        5 '1' if it is ordered  6 stream max  7..12 task
--        13 owed entry of its result
-- RETURNS  'ok' | 'gone' | 'changed' | 'not_ended' | 'settling': its outcome is
--          not yet told | 'busy:<id>': one with its join key is under way
local r = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'reopened')
if not r[1] then return 'gone' end
-- A repeated call whose first answer was lost.
if r[3] == ARGV[3] and tonumber(r[2]) == tonumber(ARGV[2]) + 1 then return 'ok' end
if r[1] ~= 'failed' and r[1] ~= 'cancelled' then return 'not_ended' end
if r[2] ~= ARGV[2] then return 'changed' end
if redis.call('ZSCORE', KEYS[9], ARGV[13]) then return 'settling' end
if ARGV[4] == '1' then
  local other = redis.call('GET', KEYS[4])
  if other and other ~= ARGV[1] then return 'busy:' .. other end
  redis.call('SET', KEYS[4], ARGV[1])
end
redis.call('HDEL', KEYS[1], 'owner', 'last_owner', 'result', 'completed', 'started', 'cancel', 'progress', 'tries', 'crashes', 'told', 'withdrawn', 'joined')
redis.call('HINCRBY', KEYS[1], 'attempt', 1)
redis.call('HINCRBY', KEYS[1], 'run', 1)
redis.call('HSET', KEYS[1], 'state', 'queued', 'error', '', 'reopened', ARGV[3])
local patience = redis.call('HGET', KEYS[1], 'patience')
if patience then redis.call('HSET', KEYS[1], 'expires', tonumber(ARGV[3]) + tonumber(patience)) end
redis.call('PERSIST', KEYS[1])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
local head = true
if ARGV[5] == '1' then head = redis.call('RPUSH', KEYS[5], ARGV[1]) == 1 end
if head then
  enqueue(KEYS[6], KEYS[7], KEYS[8], 7)
else
  redis.call('HSET', KEYS[1], 'waiting', '1')
end
emit(KEYS[1], KEYS[3], ARGV[6])
return 'ok'
