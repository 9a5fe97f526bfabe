-- finish ends a job and hands asynq the next one of its order.
-- KEYS   1 record  2 open  3 stream  4 join  5 order  6 owed  7 next record
--        8 asynq:queues  9 next asynq task  10 next asynq pending
--        11 audience  (4 to 11 stand for the record where unused)
-- ARGV   1 id  2 owner, or '' for a job that nobody runs  3 attempt  4 state
--        5 now ms  6 result or ''  7 error or ''  8 progress or '' (as it was)
--        9 stream max  10 seconds the record is kept at the most
--        11 '1' if it joins  12 '1' if it is ordered  13 owed entry or ''
--        14 bell of owed  15 id of the next one or ''  16 '1' if that record
--        is gone  17..22 task of the next one  23 its chat in the audience, or ''
-- RETURNS  'ok' | 'lost': another attempt or owner, nothing changed |
--          'next:<id>': name this one as the next, nothing changed
local v = redis.call('HMGET', KEYS[1], 'owner', 'completed', 'waiting', 'cancel', unpack(told))
local r = {owner = v[1] or '', completed = v[2], waiting = v[3], cancel = v[4]}
for i = 1, #told do r[told[i]] = v[i + 4] end
if not r.state or r.attempt ~= ARGV[3] then return 'lost' end
if final(r.state) then
  -- A repeated call whose first answer was lost: its owner's, or, where nobody
  -- ran it, one that says the very same.
  if r.owner == ARGV[2] and (r.owner ~= '' or (r.state == ARGV[4] and r.completed == ARGV[5])) then return 'ok' end
  return 'lost'
end
if r.owner ~= ARGV[2] then return 'lost' end
if ARGV[12] == '1' then
  local head = redis.call('LINDEX', KEYS[5], 0)
  local heir = ''
  if head == ARGV[1] then heir = redis.call('LINDEX', KEYS[5], 1) or '' end
  if heir ~= ARGV[15] then return 'next:' .. heir end
  if heir ~= '' and ARGV[16] == '1' then
    redis.call('LREM', KEYS[5], 1, heir)
    return 'next:' .. (redis.call('LINDEX', KEYS[5], 1) or '')
  end
  redis.call('LREM', KEYS[5], 1, ARGV[1])
  if heir ~= '' then
    redis.call('HDEL', KEYS[7], 'waiting')
    enqueue(KEYS[8], KEYS[9], KEYS[10], 17)
  end
end
r.state, r.result, r.error = ARGV[4], ARGV[6], ARGV[7]
if ARGV[8] ~= '' then r.progress = ARGV[8] end
redis.call('HSET', KEYS[1], 'state', r.state, 'completed', ARGV[5], 'result', r.result, 'error', r.error, 'progress', r.progress or '')
if r.waiting or r.cancel then redis.call('HDEL', KEYS[1], 'waiting', 'cancel') end
redis.call('EXPIRE', KEYS[1], ARGV[10])
redis.call('ZREM', KEYS[2], ARGV[1])
-- Who drops the job looks there for the indexes it stands in: the record may be
-- gone by then.
if ARGV[23] ~= '' then redis.call('SADD', KEYS[11], ARGV[23]) end
if ARGV[11] == '1' and redis.call('GET', KEYS[4]) == ARGV[1] then redis.call('DEL', KEYS[4]) end
-- Nobody was promised anything of a withdrawn job.
if ARGV[13] ~= '' and redis.call('HEXISTS', KEYS[1], 'withdrawn') == 0 then owe(KEYS[6], ARGV[13], ARGV[5], ARGV[14]) end
tell(r, KEYS[3], ARGV[9])
return 'ok'
