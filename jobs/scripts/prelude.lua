-- Shared by every script: it stands in front of each of them.

local function final(state)
  return state == 'completed' or state == 'failed' or state == 'cancelled'
end

-- emit appends the job_event of record k to stream s and keeps about max.
local function emit(k, s, max)
  local f = {'id', 'type', 'state', 'attempt', 'chat_id', 'host', 'subnet', 'progress', 'error', 'result'}
  local v = redis.call('HMGET', k, unpack(f))
  local e = {}
  for i = 1, #f do
    if v[i] and v[i] ~= '' then
      e[#e + 1] = f[i]
      e[#e + 1] = v[i]
    end
  end
  redis.call('XADD', s, 'MAXLEN', '~', max, '*', unpack(e))
end

-- enqueue does what asynq's client would do for this task (its scripts
-- enqueueCmd and scheduleCmd), and rings the doorbell of the queue.
--   kq asynq:queues, kt the task's hash, kp its pending list, or the scheduled
--   set if t.at is not ''
local function enqueue(kq, kt, kp, t)
  redis.call('SADD', kq, t.queue)
  if t.at == '' then
    redis.call('HSET', kt, 'msg', t.msg, 'state', 'pending', 'pending_since', t.ns)
    redis.call('LPUSH', kp, t.id)
    redis.call('PUBLISH', t.bell, '1')
  else
    redis.call('HSET', kt, 'msg', t.msg, 'state', 'scheduled')
    redis.call('ZADD', kp, t.at, t.id)
  end
end

-- task reads the six arguments that describe a task, from ARGV[i] on.
local function task(i)
  return {queue = ARGV[i], id = ARGV[i + 1], msg = ARGV[i + 2], at = ARGV[i + 3], ns = ARGV[i + 4], bell = ARGV[i + 5]}
end

-- owe notes that others are to be told of this phase of the job, and rings
-- for those who do so.
local function owe(k, entry, now, bell)
  redis.call('ZADD', k, now, entry)
  redis.call('PUBLISH', bell, '1')
end

-- again makes the record's next attempt and hands it to asynq.
--   k record, ks stream, kq kt kp as in enqueue; counter is the field that
--   counts why, or ''
-- How long it may wait for a worker counts from now.
local function again(k, ks, kq, kt, kp, t, state, err, counter, max, now)
  local patience = redis.call('HGET', k, 'patience')
  if patience then redis.call('HSET', k, 'expires', tonumber(now) + tonumber(patience)) end
  local owner = redis.call('HGET', k, 'owner')
  redis.call('HINCRBY', k, 'attempt', 1)
  redis.call('HSET', k, 'state', state, 'error', err)
  if owner then
    redis.call('HDEL', k, 'owner')
    redis.call('HSET', k, 'last_owner', owner)
  end
  if counter ~= '' then redis.call('HINCRBY', k, counter, 1) end
  enqueue(kq, kt, kp, t)
  emit(k, ks, max)
end
