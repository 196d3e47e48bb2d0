/** Reads what peers answer about consumers, groups, handlers and dead letters. */
import type { Answers, Consuming } from '@crosstown/bus/inspect'
import { headerText } from './events.ts'
import { listOf, number, oneOf, type Reader, shape, shownText, text, whole } from './reader.ts'

const MAX = 10_000
const count = whole()
const name = text(256, 1)
const patterns = listOf(text(256, 1), 256)
const yes = (value: unknown): true | undefined => (value === true ? true : undefined)

const counts = { pending: count, dead: count }
const consumer = shape(
  {
    name,
    patterns,
    state: oneOf('here', 'elsewhere', 'idle', 'needs_upgrade'),
    floor: count,
    redelivered: count,
    ...counts,
  },
  { lag: count },
)
const group = shape(
  { name, members: listOf(shape({ device: headerText, leases: count }), MAX), ...counts },
  { patterns, lag: count, redelivered: count },
)
const handler = shape(
  {
    sub: count,
    patterns,
    waiting: count,
    running: count,
    handled: count,
    failed: count,
    retried: count,
    dead: count,
    dropped: count,
  },
  {
    concurrency: whole(1),
    policy: yes,
    breaker: oneOf('closed', 'open', 'half_open', 'isolated'),
  },
)
const letter = shape(
  {
    id: text(1_000, 1),
    event: text(256),
    type: text(256),
    consumer: name,
    reason: shownText(500),
    attempts: count,
    at: number(-8.64e15, 8.64e15),
  },
  { group: yes, detail: shownText(1_000) },
)

export const consuming = shape({
  consumers: listOf(consumer, MAX),
  groups: listOf(group, MAX),
  handlers: listOf(handler, MAX),
}) as unknown as Reader<Consuming>
export const deadLetters = shape({
  letters: listOf(letter, MAX),
  total: count,
}) as unknown as Reader<Answers['dead']>
export const settled: Reader<Answers['redrive']> = shape({ letters: count })
