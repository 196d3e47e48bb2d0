/**
 * What the relay counts of itself, in plain numbers: to count costs an addition, and who counts knows
 * nothing of who reads. `http/metrics.ts` makes text of it when somebody asks. No label says a room, a
 * device, a subject or a type of event: how many series there are is bounded by this table.
 */

/** Before each name. */
export const METRIC_PREFIX = 'crosstown_'

/** A metric. */
export interface Described {
  readonly help: string
  /** Names of the labels, in the order in which their values are given. */
  readonly labels?: readonly string[]
}

export type CounterName =
  | 'connections_accepted_total'
  | 'recover_total'
  | 'recovered_events_total'
  | 'server_disconnects_total'
  | 'reply_errors_total'
  | 'dedupe_hits_total'
  | 'slow_closes_total'
  | 'gate_overflow_total'
  | 'events_total'
  | 'event_bytes_total'
  | 'frames_sent_total'
  | 'store_errors_total'
  | 'engine_reconnections_total'
  | 'rooms_deleted_total'
  | 'group_leased_total'
  | 'group_acked_total'
  | 'group_redelivered_total'
  | 'group_lapsed_total'
  | 'group_dead_total'
  | 'group_trimmed_total'
  | 'outbox_drained_total'
  | 'outbox_refused_total'
  | 'http_requests_total'
  | 'log_suppressed_total'

export type GaugeName =
  | 'build_info'
  | 'ready'
  | 'engine_online'
  | 'connections_inflight'
  | 'subscriptions_inflight'
  | 'rooms_inflight'
  | 'relays_inflight'
  | 'queue_bytes'
  | 'groups_inflight'
  | 'group_members_inflight'
  | 'group_pending'
  | 'group_lag'
  | 'group_dead_letters'
  | 'outbox_pending'
  | 'outbox_lag_seconds'

export type TimingName =
  | 'publish_seconds'
  | 'broadcast_seconds'
  | 'pubsub_lag_seconds'
  | 'http_request_seconds'

/** What only grows. */
export const COUNTERS: Readonly<Record<CounterName, Described>> = {
  connections_accepted_total: {
    help: 'Sockets that were taken over.',
    labels: ['kind'],
  },
  recover_total: {
    help: 'Devices that joined, by what became of the stream they had: new, recovered, or the reason of the gap they were told.',
    labels: ['outcome'],
  },
  recovered_events_total: {
    help: 'Events read from the store for devices that were behind their room.',
  },
  server_disconnects_total: {
    help: 'Sockets that the relay closed, by the code it closed them with.',
    labels: ['code'],
  },
  reply_errors_total: {
    help: 'Batches, posts and requests answered with an error, and events refused for good, by code.',
    labels: ['code'],
  },
  dedupe_hits_total: {
    help: 'Events that came again and were not written again.',
  },
  slow_closes_total: {
    help: 'Connections that ended because they were not read as fast as events came.',
  },
  gate_overflow_total: {
    help: 'Times that a connection fell behind live delivery and went on from the store.',
  },
  events_total: {
    help: 'Events committed.',
  },
  event_bytes_total: {
    help: 'UTF-8 bytes of headers and data of events committed.',
  },
  frames_sent_total: {
    help: 'Stream frames handed to connections at the commit of what is in them.',
  },
  store_errors_total: {
    help: 'Failures of the store.',
  },
  engine_reconnections_total: {
    help: 'Times that the engine of the store was reached again after it was lost.',
    labels: ['engine'],
  },
  rooms_deleted_total: {
    help: 'Rooms deleted.',
  },
  group_leased_total: {
    help: 'Events leased to members of groups, again as well.',
  },
  group_acked_total: {
    help: 'Events that members of groups said they finished.',
  },
  group_redelivered_total: {
    help: 'Leases of events that had been leased before.',
  },
  group_lapsed_total: {
    help: 'Leases that ended by their time.',
  },
  group_dead_total: {
    help: 'Events that became dead letters of a group.',
  },
  group_trimmed_total: {
    help: 'Places of rooms that a group did not come to before they were trimmed away.',
  },
  outbox_drained_total: {
    help: 'Rows of the outbox that became events, or were events of their room before.',
  },
  outbox_refused_total: {
    help: 'Rows of the outbox that were moved to those refused, by code.',
    labels: ['code'],
  },
  http_requests_total: {
    help: 'HTTP requests answered, by method, route and status; sockets are not among them.',
    labels: ['method', 'route', 'status'],
  },
  log_suppressed_total: {
    help: 'Log records left out because too many of their kind came in one second.',
  },
}

/** What is there at the moment of asking. */
export const GAUGES: Readonly<Record<GaugeName, Described>> = {
  build_info: {
    help: '1, with what this relay is as labels.',
    labels: ['version', 'engine', 'durability'],
  },
  ready: {
    help: '1 while the relay takes devices, 0 while it drains or has no connection to its engine.',
  },
  engine_online: {
    help: '1 while the relay has a connection to the engine of its store, else 0.',
    labels: ['engine'],
  },
  connections_inflight: {
    help: 'Connections now: sockets of devices and of inspectors, and readers that wait over HTTP.',
    labels: ['kind'],
  },
  subscriptions_inflight: {
    help: 'Devices that hear a room now.',
  },
  rooms_inflight: {
    help: 'Rooms in memory.',
  },
  relays_inflight: {
    help: 'Other relays on the same store that were heard in the last five seconds.',
  },
  queue_bytes: {
    help: 'Bytes that wait for their commit, in all rooms.',
  },
  groups_inflight: {
    help: 'Groups of the rooms in memory.',
  },
  group_members_inflight: {
    help: 'Members of groups that are connected here, or may come back.',
  },
  group_pending: {
    help: 'Events of groups that are leased, or wait to be leased again.',
  },
  group_lag: {
    help: 'Places that the groups of the rooms in memory have not come to, in all.',
  },
  group_dead_letters: {
    help: 'Dead letters of the groups of the rooms in memory.',
  },
  outbox_pending: {
    help: 'Rows that wait in the outbox, counted up to 100,000, as of some seconds ago.',
  },
  outbox_lag_seconds: {
    help: 'Age of the oldest row that waits in the outbox; 0 where none does.',
  },
}

/** What takes time, in seconds. */
export const TIMINGS: Readonly<Record<TimingName, Described>> = {
  publish_seconds: {
    help: 'From handing an append to the store until it is as durable as the store says.',
    labels: ['engine'],
  },
  broadcast_seconds: {
    help: 'Handing one commit to all connections of its room.',
  },
  pubsub_lag_seconds: {
    help: 'From the arrival of the oldest event of a commit until the commit was handed to all who hear it.',
  },
  http_request_seconds: {
    help: 'From an HTTP request to the head of its answer, waiting included, by route.',
    labels: ['route'],
  },
}

/** Upper bounds of the buckets of all timings, in seconds. */
export const BUCKETS_SECONDS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

/** How long something took, all times added up. */
export interface Timing {
  /** How many took up to each of {@link BUCKETS_SECONDS} and longer than the one before; longer ones last. */
  readonly buckets: number[]
  sum: number
  count: number
}

/** One value of a gauge, and the values of its labels. */
export type Reading = readonly [value: number, ...labels: string[]]

const BETWEEN = '\n'

/** Counts, for one relay. */
export class Meter {
  readonly #counts = new Map<CounterName, Map<string, number>>()
  readonly #timings = new Map<TimingName, Map<string, Timing>>()

  count(name: CounterName, by = 1, ...labels: string[]): void {
    const counts = ofName(this.#counts, name)
    const key = labels.join(BETWEEN)
    counts.set(key, (counts.get(key) ?? 0) + by)
  }

  /** Notes that something took `ms` milliseconds. */
  took(name: TimingName, ms: number, ...labels: string[]): void {
    const timings = ofName(this.#timings, name)
    const key = labels.join(BETWEEN)
    let timing = timings.get(key)
    if (!timing) {
      timing = { buckets: new Array(BUCKETS_SECONDS.length + 1).fill(0), sum: 0, count: 0 }
      timings.set(key, timing)
    }
    const seconds = ms / 1_000
    const bucket = BUCKETS_SECONDS.findIndex((bound) => seconds <= bound)
    const index = bucket < 0 ? BUCKETS_SECONDS.length : bucket
    timing.buckets[index] = (timing.buckets[index] as number) + 1
    timing.sum += seconds
    timing.count += 1
  }

  /** Values of a counter, with those of its labels. */
  counts(name: CounterName): Reading[] {
    return [...ofName(this.#counts, name)].map(([key, value]) => [value, ...labelsIn(key)])
  }

  timings(name: TimingName): { readonly timing: Timing; readonly labels: readonly string[] }[] {
    const all = ofName(this.#timings, name)
    return [...all].map(([key, timing]) => ({ timing, labels: labelsIn(key) }))
  }
}

function ofName<N, V>(all: Map<N, Map<string, V>>, name: N): Map<string, V> {
  let values = all.get(name)
  if (!values) {
    values = new Map()
    all.set(name, values)
  }
  return values
}

function labelsIn(key: string): string[] {
  return key === '' ? [] : key.split(BETWEEN)
}
