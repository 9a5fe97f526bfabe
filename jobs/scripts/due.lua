-- due makes the job that is due on a host in a period, unless somebody has done
-- so: however many look, there is one.
-- KEYS   1 guard: the last period for which one was made  2 record  3 open
--        4 asynq:queues  5 asynq task  6 asynq pending
-- ARGV   1 period, its beginning in ms  2 ms by which a guard may be ahead
--        3 ms that it is kept  4 id  5 now ms
--        6 ms after which the caller has given up, or ''
--        7 seconds the record is kept at the most  8 about  9 spec  10 payload
--        11 ms at which it expires  12 '1' if it must not be done twice, or ''
--        13..18 task
-- RETURNS  'made' | 'done': there was one | 'late': the caller had given up
if late(ARGV[6]) then return 'late' end
local last = redis.pcall('GET', KEYS[1])
-- What is no number there says nothing, whoever put it there.
last = type(last) == 'string' and tonumber(last)
-- One that is far ahead was written before the clock was set back.
if last and last >= tonumber(ARGV[1]) and last <= tonumber(ARGV[1]) + tonumber(ARGV[2]) then return 'done' end
-- First of all: where anything else of the host's is not as it should be, this
-- fails once in a period and not at every look.
call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
call('ZADD', KEYS[3], ARGV[5], ARGV[4])
call('HSET', KEYS[2], 'id', ARGV[4], 'about', ARGV[8], 'spec', ARGV[9], 'payload', ARGV[10], 'state', 'queued', 'attempt', '1', 'run', '1',
  'expires', ARGV[11], 'once', ARGV[12], 'fleeting', '1')
call('EXPIRE', KEYS[2], ARGV[7])
enqueue(KEYS[4], KEYS[5], KEYS[6], 13)
return 'made'
