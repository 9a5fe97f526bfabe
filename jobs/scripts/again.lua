-- again makes the next attempt of a running job: a try after a failure, or a
-- release by a worker that stops.
-- KEYS   1 record  2 stream  3 asynq:queues  4 new asynq task  5 asynq pending
--        or scheduled
-- ARGV   1 owner  2 attempt  3 state  4 error or ''  5 field that counts it,
--        or ''  6 result so far or ''  7 stream max  8..13 task  14 now ms
-- RETURNS  'ok' | 'lost'
local r = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'owner', 'last_owner')
if not r[1] or final(r[1]) then return 'lost' end
if r[2] ~= ARGV[2] or r[3] ~= ARGV[1] then
  if r[4] == ARGV[1] and tonumber(r[2]) == tonumber(ARGV[2]) + 1 then return 'ok' end
  return 'lost'
end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'result', ARGV[6]) end
again(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], 8, ARGV[3], ARGV[4], ARGV[5], ARGV[7], ARGV[14])
return 'ok'
