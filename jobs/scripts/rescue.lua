-- rescue looks at one unfinished job and takes it over if nobody will ever run
-- it otherwise.
-- KEYS   1 record  2 stream  3 asynq:queues  4 new asynq task  5 asynq pending
--        6 processes  7 current asynq task  8 asynq lease  9 open  10 order
--        (10 stands for the record where unused)
-- ARGV   1 id  2 attempt  3 now ms  4 '1' if whoever fetched from this queue
--        is known to be gone  5 how many crashes end it  6 id of the current
--        asynq task  7 '1' if it is ordered  8 stream max  9..14 task of the
--        next attempt  15..20 task of this attempt
-- RETURNS  'fine' | 'rescued' | 'gone' | 'changed' | 'withdrawn': finish it |
--          'lost:<owner>': it has had its chances, finish it
local r = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'owner', 'waiting', 'crashes', 'once', 'withdrawn')
if not r[1] or final(r[1]) then
  redis.call('ZREM', KEYS[9], ARGV[1])
  return 'gone'
end
if r[2] ~= ARGV[2] then return 'changed' end
if r[7] then return 'withdrawn' end
if r[4] == '1' then
  local head = redis.call('LINDEX', KEYS[10], 0)
  if head and head ~= ARGV[1] then return 'fine' end
  if not head then redis.call('RPUSH', KEYS[10], ARGV[1]) end
  redis.call('HDEL', KEYS[1], 'waiting')
  enqueue(KEYS[3], KEYS[7], KEYS[5], 15)
  return 'rescued'
end
if r[3] then
  local alive = redis.call('ZSCORE', KEYS[6], string.match(r[3], '^[^#]*'))
  if alive and tonumber(alive) > tonumber(ARGV[3]) then return 'fine' end
else
  local s = redis.call('HGET', KEYS[7], 'state')
  if s == 'pending' or s == 'scheduled' or s == 'retry' then return 'fine' end
  if s == 'active' and ARGV[4] ~= '1' then
    -- Fetched, not claimed: its asynq server holds a lease of 30 s and extends
    -- it every 5 s while it lives. One that ran down by 10 s is nobody's: the
    -- server died, or never heard that it had fetched. Should it claim yet, it
    -- finds the attempt gone.
    local lease = redis.call('ZSCORE', KEYS[8], ARGV[6])
    if lease and tonumber(lease) * 1000 > tonumber(ARGV[3]) + 20000 then return 'fine' end
  end
end
if (r[6] == '1' and r[3]) or tonumber(r[5] or '0') + 1 >= tonumber(ARGV[5]) then
  return 'lost:' .. (r[3] or '')
end
again(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], 9, 'queued', 'its worker went away', 'crashes', ARGV[8], ARGV[3])
return 'rescued'
