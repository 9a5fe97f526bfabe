-- Shared by every script: it stands in front of each of them.

local function final(state)
  return state == 'completed' or state == 'failed' or state == 'cancelled'
end

-- late tells whether the caller has given up, at that many ms; '' never does. A
-- Redis that hung reads on where it stopped, and what was refused meanwhile
-- must not be taken now. So this asks Redis' own clock.
local function late(at)
  if at == '' then return false end
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) > tonumber(at)
end

-- What a job_event tells of its record.
local told = {'id', 'type', 'state', 'attempt', 'chat_id', 'host', 'subnet', 'progress', 'error', 'result'}

-- A result is told when the job has ended, if it is no longer than this:
-- thousands of events are kept in memory, and a delivery's record of its tries
-- alone can be ten times that. Whoever needs a longer one reads the record.
local longest_result = 8192

-- tell appends the job_event of a record whose fields are r to stream s and
-- keeps about max. For scripts that know the fields: reading them again costs.
local function tell(r, s, max)
  local e = {}
  for i = 1, #told do
    local v = r[told[i]]
    if told[i] == 'result' and v and (not final(r.state) or #v > longest_result) then v = nil end
    if v and v ~= '' then
      e[#e + 1] = told[i]
      e[#e + 1] = v
    end
  end
  redis.call('XADD', s, 'MAXLEN', '~', max, '*', unpack(e))
end

-- emit does the same for record k as it stands.
local function emit(k, s, max)
  local v = redis.call('HMGET', k, unpack(told))
  local r = {}
  for i = 1, #told do r[told[i]] = v[i] end
  tell(r, s, max)
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
-- How long it may wait for a worker counts from now, or from when it is due.
local function again(k, ks, kq, kt, kp, t, state, err, counter, max, now)
  local patience = redis.call('HGET', k, 'patience')
  if patience then
    local from = tonumber(now)
    if t.at ~= '' then from = math.max(from, tonumber(t.at) * 1000) end
    redis.call('HSET', k, 'expires', from + tonumber(patience))
  end
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
