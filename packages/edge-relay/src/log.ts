/**
 * What the relay tells its operators of single happenings: who came and went, what was refused, what
 * failed. Never a token, a secret or anything of an event's data; and no more than a fixed number of
 * each kind in a second, however many there are.
 */
import type { BusErrorCode } from '@crosstown/bus/protocol'
import type { Meter } from './metrics.ts'
import type { Platform } from './platform.ts'

/** How much something matters, in ascending order. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** What can happen. */
export type LogEvent =
  | 'start'
  | 'listen'
  | 'drain'
  | 'end'
  | 'open'
  | 'join'
  | 'close'
  | 'refusal'
  | 'limit'
  | 'delete'
  | 'group'
  | 'dead'
  | 'offline'
  | 'online'
  | 'outbox'
  | 'node'
  | 'trouble'

/** What each of them is, and how much it matters. */
export const LOG_EVENTS: Readonly<
  Record<LogEvent, { readonly level: LogLevel; readonly help: string }>
> = {
  start: {
    level: 'info',
    help: 'A relay was made: its `version`, its store, whether it has auth. Not told of Durable Objects.',
  },
  listen: { level: 'info', help: 'It can be reached, at `url`.' },
  drain: { level: 'info', help: 'It sends everybody away, so many `connections`.' },
  end: { level: 'info', help: 'It is closed.' },
  open: { level: 'info', help: 'A socket came, for a `room`, of a `kind`, from an `origin`.' },
  join: {
    level: 'info',
    help: 'Its device was welcomed: `device` is what others know it by, `outcome` what became of the stream it had.',
  },
  close: { level: 'info', help: 'A socket ended, `by` the peer, or by the relay with a `code`.' },
  refusal: { level: 'info', help: 'A request was answered with an error, by `route` and `code`.' },
  limit: {
    level: 'warn',
    help: 'A request, or a socket, was refused or ended because it was too much.',
  },
  delete: { level: 'warn', help: 'A room was deleted.' },
  group: { level: 'info', help: 'A `group` of a room was made, or deleted, as its `state` says.' },
  dead: {
    level: 'warn',
    help: 'An event, at a `place` of the room, became a dead letter of a `group`, after so many `attempts`.',
  },
  offline: {
    level: 'error',
    help: 'The `engine` of the store cannot be reached, or was lost: `message` says why. The relay tries again, and says so where that is something else.',
  },
  online: {
    level: 'info',
    help: 'The `engine` of the store is there again, with its `durability`.',
  },
  outbox: {
    level: 'warn',
    help: 'A row of the outbox, by its `id`, was refused with a `code`, and moved to those refused.',
  },
  node: {
    level: 'info',
    help: 'Another relay on the same store, a `node`, came or is gone, as its `state` says.',
  },
  trouble: { level: 'error', help: 'Something failed that should not have: the store, mostly.' },
}

/** What goes with it; which of them depends on the event. */
export interface LogFields {
  readonly room?: string
  /** Number of a connection: the same from `open` to `close`. */
  readonly connection?: number
  readonly kind?: 'device' | 'inspector'
  readonly origin?: string
  /** What others in the room know the device by. */
  readonly device?: string
  readonly subject?: string
  /** Of a `join`: what became of the stream the device had. */
  readonly outcome?: string
  /** Of a `close`: who ended it. */
  readonly by?: 'relay' | 'peer'
  readonly code?: BusErrorCode
  readonly method?: string
  /** Pattern of the route, not the path. */
  readonly route?: string
  readonly status?: number
  readonly message?: string
  readonly group?: string
  /** What another relay on the same store is known by; a new one each time that it is started. */
  readonly node?: string
  /** Of a group, or of another relay: what became of it. */
  readonly state?: 'made' | 'deleted' | 'came' | 'gone'
  readonly place?: number
  readonly attempts?: number
  /** Of a row of the outbox. */
  readonly id?: string
  readonly url?: string
  readonly version?: string
  readonly engine?: string
  readonly durability?: string
  readonly auth?: boolean
  readonly connections?: number
}

/** One thing that happened. */
export interface LogRecord extends LogFields {
  /** ISO 8601, in UTC. */
  readonly time: string
  readonly level: LogLevel
  readonly event: LogEvent
  /** Records of this event left out since the one before. */
  readonly suppressed?: number
}

/** Takes what happened. */
export type LogSink = (record: LogRecord) => void

/** Tells that something happened. */
export type Log = (event: LogEvent, fields?: LogFields) => void

/** Records of one event in one second; what comes beyond is only counted. */
const MOST_A_SECOND = 100
const WINDOW_MS = 1_000
const MAX_TEXT = 500

/** A log that goes to `sink`, in bounds; without one, nowhere. */
export function boundedLog(sink: LogSink | undefined, platform: Platform, meter: Meter): Log {
  if (!sink) return () => {}
  const windows = new Map<LogEvent, { beganMs: number; count: number; suppressed: number }>()
  return (event, fields = {}) => {
    const nowMs = platform.monotonic()
    let window = windows.get(event)
    if (!window) {
      window = { beganMs: nowMs, count: 0, suppressed: 0 }
      windows.set(event, window)
    }
    if (nowMs - window.beganMs >= WINDOW_MS) {
      window.beganMs = nowMs
      window.count = 0
    }
    window.count += 1
    if (window.count > MOST_A_SECOND) {
      window.suppressed += 1
      meter.count('log_suppressed_total')
      return
    }
    const { suppressed } = window
    window.suppressed = 0
    const record: LogRecord = {
      time: new Date(platform.now()).toISOString(),
      level: LOG_EVENTS[event].level,
      event,
      ...shortened(fields),
      ...(suppressed > 0 && { suppressed }),
    }
    try {
      sink(record)
    } catch (error) {
      // Who writes a log is told of it from everywhere: it must not stop any of that.
      console.error('[edge-relay] log threw', error)
    }
  }
}

function shortened(fields: LogFields): LogFields {
  const entries = Object.entries(fields).map(([key, value]: [string, unknown]) => [
    key,
    typeof value === 'string' ? value.slice(0, MAX_TEXT) : value,
  ])
  return Object.fromEntries(entries) as LogFields
}

/** How a log is written. */
export type LogFormat = 'json' | 'text'

/** A record as one line, whatever is in its texts: no line can be made two, and no terminal moved. */
export function logLine(record: LogRecord, format: LogFormat): string {
  if (format === 'json') return escaped(JSON.stringify(record))
  const { time, level, event, ...fields } = record
  const parts = Object.entries(fields).map(([key, value]: [string, unknown]) => {
    const text = String(value)
    return `${key}=${/^[\w.:/@~*+-]+$/.test(text) ? text : escaped(JSON.stringify(text))}`
  })
  return [time, level.padEnd(5), event, ...parts].join(' ')
}

/** What JSON leaves as it is, and a terminal, an editor or a reader of lines may obey. */
function escaped(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
