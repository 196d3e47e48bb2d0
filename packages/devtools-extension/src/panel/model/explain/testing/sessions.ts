/** Sessions made of frames, without buses: for what no bus would do in a test's time, or at all. */
import {
  type HelloFrame,
  INSPECT_VERSION,
  type InspectedEvent,
  type InspectRecord,
  type SubscriptionInfo,
} from '@crosstown/bus/inspect'
import type { InspectSource } from '../../../../sources/source.ts'
import { createHub } from '../../hub.ts'
import type { Session } from '../../model.ts'
import { makeCapture } from '../../testing/capture.ts'
import { captureSources } from '../../testing/capture-source.ts'
import { ManualTiming } from '../../testing/manual-timing.ts'

/** A capture of so many events, taken in. */
export function captured(events: number, seed = 1): { session: Session; ids: readonly string[] } {
  const capture = makeCapture({ events, seed })
  const timing = new ManualTiming(capture.end)
  const { session } = createHub(captureSources(capture), { timing })
  timing.settle()
  return { session, ids: capture.ids }
}

export interface Told {
  readonly peer: string
  readonly kind?: HelloFrame['kind']
  readonly device?: string
  readonly subscriptions?: readonly Partial<SubscriptionInfo>[]
  /** By its clock, which counts in µs, from when on it is captured. @default 0.001 */
  readonly since?: number
  readonly records: readonly InspectRecord[]
}

/** What some peers tell, their monotonic clocks being ms since `start`. */
export function told(peers: readonly Told[], { pass = 10_000 } = {}): Session {
  const start = Date.UTC(2026, 0, 15, 9)
  const timing = new ManualTiming(start + pass)
  const source: InspectSource = {
    label: 'test',
    kind: 'page',
    start(sink) {
      sink.state('open')
      for (const { peer, records, ...who } of peers) {
        const common = { inspect: INSPECT_VERSION, peer }
        sink.frame(JSON.stringify({ ...common, ...helloOf(who, start) }))
        if (records.length > 0)
          sink.frame(JSON.stringify({ ...common, frame: 'batch', first: 1, records }))
      }
    },
    send() {},
    close() {},
  }
  const { session } = createHub([source], { timing })
  timing.settle()
  return session
}

export function header(id: string, more: Partial<InspectedEvent> = {}): InspectedEvent {
  return {
    id,
    type: 'order.placed',
    source: 'page',
    time: 0,
    bytes: 100,
    ...more,
  } as InspectedEvent
}

function helloOf(
  {
    kind = 'page',
    device = 'laptop',
    subscriptions = [],
    since = 0.001,
  }: Omit<Told, 'peer' | 'records'>,
  start: number,
): object {
  const relay = kind === 'relay'
  return {
    frame: 'hello',
    library: '0.1.0',
    bus: relay ? 'room' : 'shop',
    source: kind,
    kind,
    ...(!relay && { log: `log-${device}`, device }),
    relay: { url: 'ws://127.0.0.1:8787', room: 'room' },
    now: [start + since, since],
    next: 1,
    oldest: 1,
    status: {
      relay: relay ? 'off' : 'online',
      leader: !relay,
      log: { kind: 'disk', state: 'open', bytes: 0 },
      outbox: { pending: 0, refused: 0 },
      lead: { self: !relay, present: true },
      queued: 0,
    },
    subscriptions: subscriptions.map((subscription, index) => ({
      sub: index + 1,
      patterns: ['order.*'],
      kind: 'handler',
      at: -1,
      calls: 0,
      failures: 0,
      ...subscription,
    })),
    views: [],
  }
}
