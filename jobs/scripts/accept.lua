-- accept commits a new job: record, indexes, join key, idempotency key,
-- job_event and asynq's task at once. Nothing of it exists before, all of it
-- after.
-- KEYS   1 record  2 idempotency  3 join  4 order  5 open  6 stream
--        7 index by type  8 by chat  9 by host
--        10 asynq:queues  11 asynq task  12 asynq pending or scheduled
--        (those a job doesn't use stand for its record and are not touched)
-- ARGV   1 id  2 now ms  3 idempotency fingerprint or ''  4 its window ms
--        5 '1' if it joins  6 '1' if it is ordered  7 '1' if it has a chat
--        8 '1' if it has a host  9 index member  10 stream max
--        11 seconds an index by chat outlives its last job, or '' if it was
--        told so a moment ago
--        12..17 task  18 ms after which the caller has given up, or ''
--        19 about  20 spec  21 payload  22.. more fields of the record
-- RETURNS  {'accepted'} | {'late'}: it had given up | {'exists'} | {'replay', id, joined} | {'conflict'} |
--          {'join', id}: that job is unfinished, call join
local id, member = ARGV[1], ARGV[9]
if late(ARGV[18]) then return {'late'} end
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
if ARGV[5] == '1' then
  local other = call('SET', KEYS[3], id, 'NX', 'GET')
  if other then
    call('ZREM', KEYS[7], member)
    return {'join', other}
  end
end
call('HSET', KEYS[1], 'id', id, 'about', ARGV[19], 'spec', ARGV[20], 'payload', ARGV[21], 'state', 'queued', 'attempt', '1', unpack(ARGV, 22))
call('ZADD', KEYS[5], ARGV[2], id)
if ARGV[8] == '1' then call('ZADD', KEYS[9], '0', member) end
if ARGV[7] == '1' then
  call('ZADD', KEYS[8], '0', member)
  if ARGV[11] ~= '' then call('EXPIRE', KEYS[8], ARGV[11]) end
end
if ARGV[3] ~= '' then
  call('HSET', KEYS[2], 'fingerprint', ARGV[3], 'job', id, 'joined', '')
  call('PEXPIRE', KEYS[2], ARGV[4])
end
if ARGV[6] ~= '1' or call('RPUSH', KEYS[4], id) == 1 then
  enqueue(KEYS[10], KEYS[11], KEYS[12], 12)
else
  call('HSET', KEYS[1], 'waiting', '1')
end
event(KEYS[6], ARGV[10], 'id', id, 'about', ARGV[19], 'state', 'queued', 'attempt', '1')
return {'accepted'}
