-- accept commits a new job: record, indexes, join key, idempotency key,
-- job_event and asynq's task at once. Nothing of it exists before, all of it
-- after.
-- KEYS   1 record  2 idempotency  3 join  4 order  5 open  6 stream
--        7 index by type  8 by chat  9 by host
--        10 asynq:queues  11 asynq task  12 asynq pending or scheduled
--        13.. joins that the job outdates
--        (those a job doesn't use stand for its record and are not touched)
-- ARGV   1 id  2 now ms  3 idempotency fingerprint or ''  4 its window ms
--        5 index member  6 stream max
--        7 seconds an index by chat outlives its last job, or '' if it was told
--        so a moment ago
--        8..13 task  14 ms after which the caller has given up, or ''
--        15 about  16 spec  17 payload  18.. more fields of the record
-- RETURNS  {'accepted'} | {'late'}: it had given up | {'exists'} | {'replay', id, joined} | {'conflict'} |
--          {'join', id}: that job is unfinished, call join
local id, member, record = ARGV[1], ARGV[5], KEYS[1]
if late(ARGV[14]) then return {'late'} end
if ARGV[3] ~= '' then
  local f = call('HMGET', KEYS[2], 'fingerprint', 'job', 'joined')
  if f[1] then
    if f[2] == id then return {'exists'} end
    if f[1] == ARGV[3] then
      call('HSET', KEYS[2], 'replayed', '1')
      return {'replay', f[2], f[3]}
    end
    return {'conflict'}
  end
end
-- Whatever has a record stands in this index, so it tells whether there is one.
if call('ZADD', KEYS[7], '0', member) == 0 then return {'exists'} end
if KEYS[3] ~= record then
  local other = call('SET', KEYS[3], id, 'NX', 'GET')
  if other then
    call('ZREM', KEYS[7], member)
    return {'join', other}
  end
end
for i = 13, #KEYS do call('DEL', KEYS[i]) end
call('HSET', record, 'id', id, 'about', ARGV[15], 'spec', ARGV[16], 'payload', ARGV[17], 'state', 'queued', 'attempt', '1', 'run', '1', unpack(ARGV, 18))
call('ZADD', KEYS[5], ARGV[2], id)
if KEYS[9] ~= record then call('ZADD', KEYS[9], '0', member) end
if KEYS[8] ~= record then
  call('ZADD', KEYS[8], '0', member)
  if ARGV[7] ~= '' then call('EXPIRE', KEYS[8], ARGV[7]) end
end
if ARGV[3] ~= '' then
  call('HSET', KEYS[2], 'fingerprint', ARGV[3], 'job', id, 'joined', '')
  call('PEXPIRE', KEYS[2], ARGV[4])
end
if KEYS[4] == record or call('RPUSH', KEYS[4], id) == 1 then
  enqueue(KEYS[10], KEYS[11], KEYS[12], 8)
else
  call('HSET', record, 'waiting', '1')
end
event(KEYS[6], ARGV[6], 'id', id, 'about', ARGV[15], 'state', 'queued', 'attempt', '1')
return {'accepted'}
