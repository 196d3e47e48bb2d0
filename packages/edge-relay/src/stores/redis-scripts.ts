/**
 * What the store in Redis writes: each a script, and so all or nothing. `ARGV[1]` is the prefix of all
 * keys and `ARGV[2]` the room. A script names its keys itself, so that it is for one Redis with its
 * replicas, and not for a cluster.
 *
 * | key | holds |
 * |---|---|
 * | `rooms` | names of rooms, in order |
 * | `room:R` | head and sizes of the room R |
 * | `log:R` | its records, a stream whose ids are places |
 * | `state:R`, `more-state:R` | its state, and what of that is read key by key |
 * | `ids:R` | prefix, counter and place of the newest event of each publisher in a record |
 * | `times:R` | places by time |
 * | `marks:R` | ends of trimmed records, by place |
 * | `gone:R`, `gone-places:R` | ranges of trimmed ids by prefix, and by the place they were at |
 * | `deleted:R`, `deletions`, `deletion-rooms` | epochs that were deleted, their count, and of which rooms |
 */
import { DELETED_EPOCHS, DELETED_LOGS, TRIMMED_MARKS, TRIMMED_RANGES } from './store.ts'

const KEYS_OF_ROOM = `
local p, r = ARGV[1], ARGV[2]
local function key(kind) return p .. kind .. ':' .. r end
`

/** Texts that are sorted as the numbers in them are. */
const PADDED = `
local function padded(n) return string.format('%016.0f', tonumber(n)) end
`

/**
 * `epoch, expected version, version, place, check, chain, time, events, bytes, records, puts, puts of what is read key by key`,
 * then `place, time, row, pairs` for each record, where pairs are lines of prefix and counter by turns,
 * and key and value for each put; '' removes the key. 1 where it was written.
 */
export const APPEND: string = `${KEYS_OF_ROOM}${PADDED}
local room = key('room')
local known = redis.call('HMGET', room, 'epoch', 'version')
if ARGV[4] == '0' then
  if known[1] then return 0 end
  redis.call('ZADD', p .. 'rooms', 0, r)
  redis.call('HSET', room, 'epoch', ARGV[3], 'events', 0, 'bytes', 0, 'first', '[0,"0",""]')
elseif known[1] ~= ARGV[3] or known[2] ~= ARGV[4] then return 0 end
redis.call('HSET', room, 'version', ARGV[5], 'place', ARGV[6], 'check', ARGV[7], 'chain', ARGV[8], 'time', ARGV[9])
redis.call('HINCRBY', room, 'events', ARGV[10])
redis.call('HINCRBY', room, 'bytes', ARGV[11])
local at = 15
for _ = 1, tonumber(ARGV[12]) do
  local place = ARGV[at]
  redis.call('XADD', key('log'), place .. '-0', 'r', ARGV[at + 2])
  redis.call('ZADD', key('times'), ARGV[at + 1], padded(place))
  for prefix, counter in string.gmatch(ARGV[at + 3], '([^\\n]*)\\n(%d+)') do
    redis.call('ZADD', key('ids'), 0, prefix .. '\\0' .. padded(counter) .. '\\0' .. padded(place))
  end
  at = at + 4
end
for n = 1, ARGV[13] + ARGV[14] do
  local hash = key(n <= tonumber(ARGV[13]) and 'state' or 'more-state')
  if ARGV[at + 1] == '' then redis.call('HDEL', hash, ARGV[at])
  else redis.call('HSET', hash, ARGV[at], ARGV[at + 1]) end
  at = at + 2
end
return 1
`

/**
 * `epoch, first before, first, -events, -bytes, newest place, records, pairs, prefixes, ranges`, then
 * last place, mark and place of each record, the members of `ids`, prefix and ranges of each publisher, and
 * prefix, first and place of each of these ranges. 0 where another relay has trimmed the room meanwhile.
 *
 * What frees memory is the first write: a Redis that is full refuses a script whose first write may need some.
 */
export const TRIM: string = `${KEYS_OF_ROOM}${PADDED}
local room = key('room')
local known = redis.call('HMGET', room, 'epoch', 'first')
if known[1] ~= ARGV[3] or known[2] ~= ARGV[4] then return 0 end
redis.call('XTRIM', key('log'), 'MINID', string.format('%.0f-0', ARGV[8] + 1))
redis.call('HSET', room, 'first', ARGV[5])
redis.call('HINCRBY', room, 'events', ARGV[6])
redis.call('HINCRBY', room, 'bytes', ARGV[7])
local first = cjson.decode(known[2])
redis.call('ZADD', key('marks'), first[1], known[2])
local at = 13
for _ = 1, tonumber(ARGV[9]) do
  redis.call('ZADD', key('marks'), ARGV[at], ARGV[at + 1])
  redis.call('ZREM', key('times'), padded(ARGV[at + 2]))
  at = at + 3
end
for _ = 1, tonumber(ARGV[10]) do
  redis.call('ZREM', key('ids'), ARGV[at])
  at = at + 1
end
for _ = 1, tonumber(ARGV[11]) do
  for _, range in ipairs(cjson.decode(redis.call('HGET', key('gone'), ARGV[at]) or '[]')) do
    redis.call('ZREM', key('gone-places'), padded(range[1]) .. ARGV[at])
  end
  redis.call('HSET', key('gone'), ARGV[at], ARGV[at + 1])
  at = at + 2
end
for _ = 1, tonumber(ARGV[12]) do
  redis.call('ZADD', key('gone-places'), ARGV[at + 2], padded(ARGV[at + 1]) .. ARGV[at])
  at = at + 3
end
redis.call('ZREMRANGEBYRANK', key('marks'), 0, -${TRIMMED_MARKS + 1})
local most = redis.call('ZCARD', key('gone-places')) - ${TRIMMED_RANGES}
if most > 0 then
  local oldest = redis.call('ZPOPMIN', key('gone-places'), most)
  for n = 1, #oldest, 2 do
    local first, prefix = tonumber(string.sub(oldest[n], 1, 16)), string.sub(oldest[n], 17)
    local kept = {}
    for _, range in ipairs(cjson.decode(redis.call('HGET', key('gone'), prefix))) do
      if range[1] ~= first then kept[#kept + 1] = range end
    end
    if #kept > 0 then redis.call('HSET', key('gone'), prefix, cjson.encode(kept))
    else redis.call('HDEL', key('gone'), prefix) end
  end
end
return 1
`

/** 1 where there was something to delete. Redis frees the memory on a thread of its own. */
export const DELETE: string = `${KEYS_OF_ROOM}
local epoch = redis.call('HGET', key('room'), 'epoch')
if not epoch then return 0 end
for _, kind in ipairs({ 'room', 'log', 'state', 'more-state', 'ids', 'times', 'marks', 'gone', 'gone-places' }) do
  redis.call('UNLINK', key(kind))
end
redis.call('ZREM', p .. 'rooms', r)
local number = redis.call('INCR', p .. 'deletions')
redis.call('LPUSH', key('deleted'), cjson.encode({ epoch, number }))
redis.call('LTRIM', key('deleted'), 0, ${DELETED_EPOCHS - 1})
redis.call('LPUSH', p .. 'deletion-rooms', r)
if redis.call('LLEN', p .. 'deletion-rooms') > ${DELETED_LOGS} then
  local list = p .. 'deleted:' .. redis.call('RPOP', p .. 'deletion-rooms')
  local last = redis.call('LINDEX', list, -1)
  if last and cjson.decode(last)[2] <= number - ${DELETED_LOGS} then redis.call('RPOP', list) end
end
return 1
`
