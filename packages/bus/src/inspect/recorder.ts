/**
 * What the stages report, as records: text, in the order of time. What comes event by event is
 * gathered for a moment, so that a burst is a few records. In come calls of stages, out go texts to
 * the outlet.
 */
import type { Batch, Entry } from '../batch/batch.ts'
import type { Incoming, Origin } from '../dispatch/dispatch.ts'
import { type BusError, type BusErrorCode, toBusError } from '../errors.ts'
import { type BusEvent, type EventHeader, utf8Length } from '../event.ts'
import type { Gap } from '../types.ts'
import { columnsOf } from './columns.ts'
import { limitOf } from './consuming.ts'
import type { InspectRecord, SubscriptionInfo, Via, ViewInfo } from './frames.ts'
import { packIds } from './ids.ts'
import type { Outlet } from './outlet.ts'
import type { Redactor } from './redactor.ts'
import type { DropReason, LifeState, Placed, Tap, TappedSubscription, TappedView } from './tap.ts'

/** An event as the ring has it, for those who ask for its data. */
export type Source = readonly KeptEvent[]
export interface KeptEvent {
  readonly id: string
  readonly type: string
  /** As JSON, or as it was read. */
  readonly header: string | EventHeader
  readonly dataText: string
  /** Whether it is in no log. */
  readonly cast: boolean
  readonly more?: object
}

export interface RecorderOptions {
  readonly outlet: Outlet<Source>
  readonly now: () => number
  readonly redactor: () => Redactor | undefined
  /** Value text of data that was never encoded; `undefined` where it has none. */
  readonly encode: (event: BusEvent) => { text: string; encoding?: 'devalue' } | undefined
  /** Where the application called from, as `file:line:column`. */
  readonly site: (kind: SubscriptionInfo['kind']) => string | undefined
  /** Events go by, newest last. */
  readonly passes: (events: Source) => void
}

/** What happens to one event after the other within this time is one record. */
const GATHER_MS = 1
const MAX_GATHERED = 500
/** Characters of headers in one record, so that frames stay small. */
const MAX_HEADERS = 64 * 1024
/** Own batches remembered, so that the room's places can be said of ids. */
const MAX_BATCHES = 1_000

/** What is said of a handler's failure. */
const TOLD: ReadonlySet<BusErrorCode> = new Set(['handler_failed', 'timeout', 'circuit_open'])

/** A record that is still gathered. */
interface Gathered {
  readonly at: number
  readonly key: readonly unknown[]
  readonly fields: object
  readonly ids: string[]
  readonly ms: number[]
  readonly events: KeptEvent[]
}

/** A recorder as the stages have it: what goes wrong in it is no matter of theirs. */
export function guarded(recorder: Recorder): Tap {
  const methods = Object.getOwnPropertyNames(Recorder.prototype) as (keyof Recorder)[]
  const entries = methods.map((name) => [
    name,
    (...given: unknown[]): void => {
      try {
        ;(recorder[name] as (...given: unknown[]) => void)(...given)
      } catch {}
    },
  ])
  return { ...Object.fromEntries(entries), now: recorder.now }
}

export class Recorder implements Tap {
  readonly now: () => number
  readonly #options: RecorderOptions
  #gathered: Gathered[] = []
  /** When batches began to be committed. */
  readonly #begun = new WeakMap<Batch, number>()
  /** Ids by batch number, of those committed here or sent to the relay. */
  readonly #batches = new Map<number, readonly string[]>()
  /** How often a batch was sent. */
  readonly #sent = new Map<number, number>()

  constructor(options: RecorderOptions) {
    this.#options = options
    this.now = options.now
  }

  published(batch: Batch): void {
    this.#begun.set(batch, this.now())
    this.#publish(batch.entries.map(ownOf))
  }

  passed(events: readonly BusEvent[]): void {
    this.#publish(
      events.map((event) => {
        const { data: _, ...header } = event
        const { text, encoding } = this.#options.encode(event) ?? { text: '' }
        const { id, type } = event
        const said = (encoding ? { ...header, encoding } : header) as EventHeader
        return { id, type, header: said, dataText: text, cast: true }
      }),
    )
  }

  #publish(events: readonly KeptEvent[]): void {
    this.settle()
    const at = stamp(this.now())
    for (let from = 0; from < events.length; ) {
      const texts: string[] = []
      let length = 0
      for (; from + texts.length < events.length && length < MAX_HEADERS; ) {
        const text = this.inspected(events[from + texts.length] as KeptEvent)
        texts.push(text)
        length += text.length
      }
      const part = events.slice(from, from + texts.length)
      const list = `[${texts.join()}]`
      const told = texts.length > 1 ? JSON.stringify(columnsOf(JSON.parse(list))) : list
      this.#put(`{"at":${at},"is":"published","events":${told}}`, part.length, part)
      from += texts.length
    }
  }

  /** An event's envelope as an `InspectedEvent`, as JSON. */
  inspected(event: KeptEvent): string {
    const { header, dataText, cast, more } = event
    const redactor = this.#options.redactor()
    let text = typeof header === 'string' ? header : textOf(header)
    const bytes = utf8Length(text) + utf8Length(dataText)
    if (redactor) text = redactor.header(text, event.type)
    const rest = { bytes, persist: cast ? false : undefined, ...more }
    return `${text.slice(0, -1)},${JSON.stringify(rest).slice(1)}`
  }

  committed(batch: Batch, number: number): void {
    const now = this.now()
    const ids = batch.persisted.map(({ event }) => event.id)
    this.#remember(number, ids)
    const ms = stamp(now - (this.#begun.get(batch) ?? now))
    this.record({ is: 'committed', batch: number, ids: packIds(ids), ms })
  }

  #remember(batch: number, ids: readonly string[]): void {
    this.#batches.set(batch, ids)
    if (this.#batches.size <= MAX_BATCHES) return
    for (const oldest of this.#batches.keys()) {
      this.#batches.delete(oldest)
      this.#sent.delete(oldest)
      return
    }
  }

  withdrawn(batch: Batch, { code }: BusError): void {
    const ids = batch.persisted.map(({ event }) => event.id)
    if (code === 'conflict') this.record({ is: 'refused', ids: packIds(ids), code, final: true })
    else this.dropped(ids, 'withdrawn')
  }

  posted(via: Via, entries: readonly Entry[], bytes: number): void {
    this.#post(
      via,
      entries.map(({ event }) => event.id),
      bytes,
    )
  }

  told(headers: string, bytes: number, via?: Via): void {
    const ids = idsIn(headers)
    if (via) this.#post(via, ids, bytes)
    else this.dropped(ids, 'offline')
  }

  #post(via: Via, ids: readonly string[], bytes: number): void {
    this.record({ is: 'posted', via, ids: packIds(ids), bytes }, ids.length)
  }

  sent(batch: number, headers: string, bytes: number, indexes?: readonly number[]): void {
    const ids = idsIn(headers)
    const attempt = (this.#sent.get(batch) ?? 0) + 1
    this.#sent.set(batch, attempt)
    if (!this.#batches.has(batch)) {
      const placed: string[] = []
      ids.forEach((id, i) => {
        placed[indexes?.[i] ?? i] = id
      })
      this.#remember(batch, placed)
    }
    if (attempt > 1) this.record({ is: 'retried', ids: packIds(ids), attempt })
    this.#post('relay', ids, bytes)
  }

  rejected(batch: number, code: BusErrorCode): void {
    // Without the holes that others of the batch are.
    const ids = this.#batches.get(batch)?.flat()
    if (ids) this.record({ is: 'refused', ids: packIds(ids), code, final: false })
  }

  confirmed({ batch, epoch, place, indexes, refused }: Placed): void {
    const ids = this.#batches.get(batch)
    if (!ids) return
    const placed = indexes.flatMap((index) => ids[index] ?? [])
    if (placed.length > 0) this.record({ is: 'confirmed', ids: packIds(placed), epoch, place })
    for (const [index, code] of refused) {
      const id = ids[index]
      if (id !== undefined) this.record({ is: 'refused', ids: packIds([id]), code, final: true })
    }
  }

  received(via: Via, origin: Origin | 'past', incoming: Incoming, from?: string): void {
    const key = ['received', via, origin, from]
    const gathered = this.#gather(incoming.header.id, key, { via, origin, from })
    gathered.events.push(keptOf(incoming))
  }

  matched(id: string, subscriptions: readonly TappedSubscription[]): void {
    // Of one type it is the same list until a subscription comes or goes.
    const known = this.#find(['matched', subscriptions])
    const fields = known ? NONE : { subs: subscriptions.map(({ order }) => order) }
    this.#gather(id, ['matched', subscriptions], fields)
  }

  handled({ order: sub }: TappedSubscription, id: string, began: number): void {
    this.#gather(id, ['handled', sub], { sub }).ms.push(this.#since(began))
  }

  failed({ order: sub }: TappedSubscription, id: string, began: number, error: unknown): void {
    const { stage = 'dispatch', code } = toBusError(error, 'handler_failed', '')
    const message = this.#said(error)
    const ms = this.#since(began)
    this.record({ is: 'failed', sub, ids: packIds([id]), stage, code, message, ms })
  }

  /** Of what began before anybody looked nobody knows. */
  #since(began: number): number {
    return began === 0 ? 0 : stamp(this.now() - began)
  }

  filtered({ order: sub }: TappedSubscription, id: string, why: 'where' | 'ended' | 'known'): void {
    this.#gather(id, ['filtered', sub, why], { sub, why })
  }

  retried({ order: sub }: TappedSubscription, id: string, attempt: number): void {
    this.#gather(id, ['retried', sub, attempt], { sub, attempt })
  }

  dropped(ids: readonly string[], why: DropReason, subscription?: TappedSubscription): void {
    const sub = subscription?.order
    for (const id of ids) this.#gather(id, ['dropped', why, sub], { why, sub })
  }

  gap(gap: Gap): void {
    this.record({ is: 'gap', gap })
  }

  subscribed(subscription: TappedSubscription): void {
    subscription.site = this.#options.site(subscription.kind)
    this.record({ is: 'subscribed', subscription: subscriptionInfo(subscription) })
  }

  unsubscribed({ order: sub }: TappedSubscription): void {
    this.record({ is: 'unsubscribed', sub })
  }

  viewed(view: TappedView): void {
    this.record({ is: 'viewed', view: viewInfo(view) })
  }

  error(error: BusError): void {
    const { code, stage = 'batch', eventId, eventType } = error
    // Told with its subscription, its event and its duration already.
    if (stage === 'dispatch' && TOLD.has(code)) return
    this.record({
      is: 'error',
      code,
      stage,
      message: this.#said(error),
      event: eventId,
      type: eventType,
    })
  }

  life(state: LifeState): void {
    if (state === 'cleared') this.#batches.clear()
    this.record({ is: 'life', state })
  }

  /** What an error says, as far as it may be told. */
  #said(error: unknown): string {
    return (this.#options.redactor()?.message ?? messageOf)(error)
  }

  /** Adds a record that is whole. */
  record(record: Loose<Untimed>, events = 1): void {
    this.settle()
    this.#put(JSON.stringify({ at: stamp(this.now()), ...record }), events)
  }

  #find(key: readonly unknown[]): Gathered | undefined {
    return this.#gathered.find(
      (one) => one.key.length === key.length && one.key.every((part, i) => part === key[i]),
    )
  }

  /** The record of this kind that is being gathered, with the event in it. */
  #gather(id: string, key: readonly unknown[], fields: object): Gathered {
    const now = this.now()
    const [oldest] = this.#gathered
    if (oldest && now - oldest.at > GATHER_MS) this.settle()
    let gathered = this.#find(key)
    if (!gathered || gathered.ids.length >= MAX_GATHERED) {
      if (gathered) this.settle()
      gathered = { at: now, key, fields, ids: [], ms: [], events: [] }
      this.#gathered.push(gathered)
      this.#options.outlet.wake()
    }
    gathered.ids.push(id)
    return gathered
  }

  /** Ends what is gathered. */
  settle(): void {
    if (this.#gathered.length === 0) return
    for (const { at, key, fields, ids, ms, events } of this.#gathered.splice(0)) {
      const [is, via] = key
      let text = JSON.stringify({
        at: stamp(at),
        is,
        ids: packIds(ids),
        ...fields,
        ms: ms.length > 0 ? ms : undefined,
        count: is === 'dropped' ? ids.length : undefined,
      })
      // What other contexts of the origin publish, they tell themselves.
      if (is === 'received' && via !== 'tabs') {
        const headers = events.map((event) => this.inspected(event)).join()
        text = `${text.slice(0, -1)},"events":[${headers}]}`
      }
      this.#put(text, ids.length, events.length > 0 ? events : undefined)
    }
  }

  #put(text: string, events: number, source?: Source): void {
    let bytes = 0
    for (const { dataText } of source ?? NO_EVENTS) bytes += dataText.length
    // First, as adding may send what there is.
    if (source) this.#options.passes(source)
    this.#options.outlet.add(text, events, source, bytes)
  }
}

const NONE = {}
const NO_EVENTS: Source = []

type Untimed = InspectRecord extends infer One
  ? One extends { at: number }
    ? Omit<One, 'at'>
    : never
  : never

/** What is `undefined` is in no JSON text. */
type Loose<T> = T extends unknown ? { [Key in keyof T]: T[Key] | undefined } : never

/** An event of another context, or of the log. */
export function keptOf({ header, dataText, offset, position }: Incoming): KeptEvent {
  const { id, type } = header
  return { id, type, header, dataText, cast: false, more: { offset, position } }
}

function ownOf({ event, headerText, dataText, persisted }: Entry): KeptEvent {
  const { id, type, scope } = event
  const more = scope === 'context' ? { scope } : NONE
  return { id, type, header: headerText, dataText, cast: !persisted, more }
}

/** A bus that encodes nothing lets metadata be what no text can be: that is left out. */
function textOf(header: EventHeader): string {
  try {
    return JSON.stringify(header)
  } catch {
    return JSON.stringify({ ...header, metadata: undefined })
  }
}

function idsIn(headers: string): string[] {
  return (JSON.parse(headers) as { id: string }[]).map(({ id }) => id)
}

/** Milliseconds to the microsecond. */
function stamp(ms: number): number {
  return Math.round(ms * 1_000) / 1_000
}

export function messageOf(error: unknown): string {
  try {
    const { message, cause } = Object(error) as Partial<Error>
    const said = String(message ?? error)
    return cause instanceof Error ? `${said}: ${cause.message}` : said
  } catch {
    return '?'
  }
}

export function subscriptionInfo(subscription: TappedSubscription): SubscriptionInfo {
  const { order, patterns, kind, where, since, site, calls, failures, queue } = subscription
  return {
    sub: order,
    patterns,
    kind,
    where: where ? true : undefined,
    at: stamp(since),
    site,
    calls,
    failures,
    concurrency: limitOf(queue?.handling.concurrency),
  } as SubscriptionInfo
}

export function viewInfo({ number, patterns, key, version }: TappedView): ViewInfo {
  return { view: number, patterns, key, version } as ViewInfo
}
