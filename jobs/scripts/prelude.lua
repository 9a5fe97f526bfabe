-- Shared by every script: it stands in front of each of them.

local call = redis.call

local function final(state)
  return state == 'completed' or state == 'failed' or state == 'cancelled'
end

-- late tells whether the caller has given up, at that many ms; '' never does. A
-- Redis that hung reads on where it stopped, and what was refused meanwhile
-- must not be taken now. So this asks Redis' own clock.
local function late(at)
  if at == '' then return false end
  local t = call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) > tonumber(at)
end

-- What a job_event tells of its record.
local told = {'id', 'about', 'state', 'attempt', 'progress', 'error', 'result'}

-- A result is told when the job has ended, if it is no longer than this:
-- thousands of events are kept in memory, and a delivery's record of its tries
-- alone can be ten times that. Whoever needs a longer one reads the record.
local longest_result = 8192

-- event appends a job_event of these fields to stream s and keeps about max.
local function event(s, max, ...)
  call('XADD', s, 'MAXLEN', '~', max, '*', ...)
end

-- tell appends the job_event of a record whose fields are r. For scripts that
-- know the fields: reading them again costs.
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
  event(s, max, unpack(e))
end

-- emit does the same for record k as it stands, unless it is a fleeting one.
local function emit(k, s, max)
  if call('HGET', k, 'fleeting') then return end
  local v = call('HMGET', k, unpack(told))
  local r = {}
  for i = 1, #told do r[told[i]] = v[i] end
  tell(r, s, max)
end

-- enqueue does what asynq's client would do for a task (its scripts enqueueCmd
-- and scheduleCmd), and rings the doorbell of the queue.
--   kq asynq:queues, kt the task's hash, kp its pending list, or the scheduled
--   set if it has an at; t where its six arguments begin in ARGV: queue, or ''
--   if asynq was told of it a moment ago; id; msg; at, or ''; ns; bell
local function enqueue(kq, kt, kp, t)
  if ARGV[t] ~= '' then call('SADD', kq, ARGV[t]) end
  if ARGV[t + 3] == '' then
    call('HSET', kt, 'msg', ARGV[t + 2], 'state', 'pending', 'pending_since', ARGV[t + 4])
    call('LPUSH', kp, ARGV[t + 1])
    call('PUBLISH', ARGV[t + 5], '1')
  else
    call('HSET', kt, 'msg', ARGV[t + 2], 'state', 'scheduled')
    call('ZADD', kp, ARGV[t + 3], ARGV[t + 1])
  end
end

-- owe notes that others are to be told of this phase of the job, and rings
-- for those who do so.
local function owe(k, entry, now, bell)
  call('ZADD', k, now, entry)
  call('PUBLISH', bell, '1')
end

-- again makes the record's next attempt and hands it to asynq.
--   k record, ks stream, kq kt kp t as in enqueue; counter is the field that
--   counts why, or ''
-- How long it may wait for a worker counts from now, or from when it is due.
local function again(k, ks, kq, kt, kp, t, state, err, counter, max, now)
  local patience = call('HGET', k, 'patience')
  if patience then
    local from = tonumber(now)
    if ARGV[t + 3] ~= '' then from = math.max(from, tonumber(ARGV[t + 3]) * 1000) end
    call('HSET', k, 'expires', from + tonumber(patience))
  end
  local owner = call('HGET', k, 'owner')
  call('HINCRBY', k, 'attempt', 1)
  call('HSET', k, 'state', state, 'error', err)
  if owner then
    call('HDEL', k, 'owner')
    call('HSET', k, 'last_owner', owner)
  end
  if counter ~= '' then call('HINCRBY', k, counter, 1) end
  enqueue(kq, kt, kp, t)
  emit(k, ks, max)
end
