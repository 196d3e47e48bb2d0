/**
 * The lines of a session file that are no frames of taps: how it begins, marks and other rows that are
 * no events, envelopes, what was known of peers, and data of events.
 */
import {
  type EventsLine,
  type PayloadLine,
  type PeerId,
  SESSION_VERSION,
  type SessionHead,
} from '@crosstown/bus/inspect'
import { readTree } from './answers.ts'
import { headerText, readEvents } from './events.ts'
import {
  Fault,
  type Fields,
  fail,
  flag,
  listOf,
  number,
  oneOf,
  type Reader,
  shape,
  shownText,
  text,
  under,
  whole,
} from './reader.ts'

export interface MarkLine {
  readonly frame: 'mark'
  /** ms since 1970. */
  readonly at: number
  readonly text: string
}

/** A row that is no event, as it was shown. */
export interface NoteLine {
  readonly frame: 'note'
  /** ms since 1970. */
  readonly at: number
  readonly kind: 'gap' | 'lost' | 'error' | 'leader' | 'connection' | 'peer' | 'life' | 'mark'
  readonly severity: 'info' | 'warning' | 'error'
  readonly text: string
  readonly peer?: PeerId
  readonly event?: string
}

/** What was known of a peer beside what it told: when it was there, and what it was called. */
export interface PeerLine {
  readonly frame: 'peer'
  readonly peer: PeerId
  readonly since: number
  readonly lastHeard: number
  readonly goneAt?: number
  readonly away: readonly { readonly from: number; readonly to: number }[]
  readonly lost: number
  /** By its own clock, from when on it was captured, and what of it is lost since. */
  readonly firstAt?: number
  readonly missed?: readonly { readonly from: number; readonly to: number }[]
  readonly number: number
  readonly load: number
  /** It was on the machine of the panel that wrote the file. */
  readonly local?: boolean
}

export type OwnLine = MarkLine | NoteLine | EventsLine | PeerLine

const time = number(-8.64e15, 8.64e15)

/** @throws {Fault} it is no session file, or of a version that this panel does not know */
export function readHead(given: Fields): SessionHead {
  if (given['crosstown'] !== 'session') throw new Fault('this is not a session file of Crosstown')
  const version = given['version']
  if (version !== SESSION_VERSION) {
    throw new Fault(
      `the file has version ${String(version).slice(0, 20)}, this panel reads version ${SESSION_VERSION}: open it in the panel that wrote it, or a newer one`,
    )
  }
  return {
    crosstown: 'session',
    version,
    at: under('at', time, given['at']),
    label: under('label', shownText(200), given['label']),
    ...(given['notes'] === true ? { notes: true as const } : {}),
  }
}

const mark: Reader<Omit<MarkLine, 'frame'>> = shape({ at: time, text: shownText(500) })
const note = shape(
  {
    at: time,
    kind: oneOf('gap', 'lost', 'error', 'leader', 'connection', 'peer', 'life', 'mark'),
    severity: oneOf('info', 'warning', 'error'),
    text: shownText(2_000),
  },
  { peer: text(300, 1), event: headerText },
)
const events = shape({ events: readEvents })
const peer = shape(
  {
    peer: text(300, 1),
    since: time,
    lastHeard: time,
    away: listOf(shape({ from: time, to: time }), 1_000),
    lost: whole(),
    number: whole(1, 1_000_000),
    load: whole(1, 1_000_000),
  },
  {
    goneAt: time,
    local: flag,
    firstAt: time,
    missed: listOf(shape({ from: time, to: time }), 1_000),
  },
)
const payload = shape(
  { peer: text(300, 1), event: headerText, tree: readTree },
  {
    text: text(1_000_000),
    encoding: (value: unknown): 'devalue' =>
      value === 'devalue' ? value : fail("must be 'devalue'"),
  },
)

/** A line that no tap sends; `undefined` for others. @throws {Fault} */
export function readOwnLine(given: Fields): OwnLine | undefined {
  switch (given['frame']) {
    case 'mark':
      return { frame: 'mark', ...mark(given) }
    case 'note':
      return { frame: 'note', ...note(given) }
    case 'events':
      return { frame: 'events', ...events(given) }
    case 'peer':
      return { frame: 'peer', ...peer(given) }
    default:
      return undefined
  }
}

export function readPayload(given: Fields): PayloadLine {
  return { frame: 'payload', ...payload(given) }
}
