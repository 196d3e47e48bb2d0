/**
 * Who is here. Each context tells the others when it comes, when it goes, and every half minute;
 * who says nothing for long is forgotten. Whoever leads tells the relay of its device, and the
 * device of its room. What came one way goes on the others:
 *
 *   other contexts ──tabs──►       ┌──tabs──► other contexts: what they cannot hear themselves
 *   behind the links ──links──► known ──links──► behind the links: everything
 *   the room ──relay──►            └──relay──► the room: this device, from the leader
 *
 * What is told on has its age with it: so news that goes in circles gets old, and dies.
 */
import type { ContextKind, Platform } from './platform.ts'
import type { PresenceFrame, Present } from './protocol/frames.ts'
import type { Asked, Presence, PresenceEvents, PresentFrame, Told } from './sync/sync.ts'
import type { PresenceMember, Unsubscribe } from './types.ts'

export interface PresenceOptions {
  /** Of this context's events. */
  readonly prefix: string
  readonly source: string
  readonly platform: Platform
  /** What others may know a device by, of its id. */
  readonly nameOf: (id: string) => string
  /** The name of the device where no log gives one. */
  readonly device: string
}

/** How often a context says that it is there. */
const BEAT_MS = 30_000
/** Silence after which it is not. Hidden pages get a timer once a minute only. */
const SILENCE_MS = 150_000
/** How long the relay may be away, or a device not back at it, before it counts. */
const GRACE_MS = 5_000
/** Contexts known at most; with this one, as many as a frame has. */
const MAX_KNOWN = 999

/** To compare with: most respond to nothing. */
const NOTHING: readonly string[] = []

interface Known extends Omit<Told, 'age' | 'leader' | 'device' | 'subject' | 'lock'> {
  readonly responds: readonly string[]
  /** Whether it holds a lock, which it loses when it dies. */
  readonly lock: boolean
  /** Absent for contexts of this device. */
  readonly device: string | undefined
  readonly subject: string | undefined
  leader: boolean
  heardAt: number
  /** By what way it is known; others on the same way hear of it themselves. */
  from: 'tabs' | 'links' | 'relay'
  /** Whether the relay, which told of it, has not said so again. */
  doubted: boolean
}

interface Change {
  readonly here: Known[]
  readonly gone: Known[]
}

export class PresenceView implements Presence {
  readonly #options: PresenceOptions
  readonly #events: PresenceEvents
  readonly #self: Present
  /** Types of requests that this context responds to. */
  #responds: readonly string[] = NOTHING
  #locked = false
  readonly #known = new Map<string, Known>()
  /** When who left did so: older news of it is passed over. */
  readonly #left = new Map<string, number>()
  readonly #callbacks = new Set<(members: readonly PresenceMember[]) => void>()
  #snapshot: readonly PresenceMember[] | undefined
  /** The name of this device, once it is known. */
  #device: string | undefined
  /** Whether the log of this context names it; otherwise whoever `#namer` is did. */
  #named = false
  #namer = ''
  #leads = false
  #away = true
  #closed = false
  #tickedAt = 0
  #cancelTick: (() => void) | undefined
  #cancelDoubt: (() => void) | undefined

  constructor(options: PresenceOptions, events: PresenceEvents) {
    const { prefix: id, platform, source } = options
    this.#options = options
    this.#events = events
    this.#self = { id, kind: kindOf(platform.kind), source }
  }

  get(): readonly PresenceMember[] {
    this.#snapshot ??= this.#closed ? Object.freeze([]) : this.#take()
    return this.#snapshot
  }

  subscribe(callback: (members: readonly PresenceMember[]) => void): Unsubscribe {
    // A function of its own, so that subscribing one callback twice makes two subscriptions.
    const own = (members: readonly PresenceMember[]): void => callback(members)
    this.#callbacks.add(own)
    this.#call(own)
    const off = (): void => void this.#callbacks.delete(own)
    return Object.assign(off, { [Symbol.dispose]: off })
  }

  get members(): readonly Present[] {
    const mine = [...this.#known.values()].filter(({ device }) => device === undefined)
    const others = mine.sort(byDevice).map((one) => presentOf(one, one.leader))
    return this.#away ? others : [presentOf(this.#self, this.#leads), ...others]
  }

  get contexts(): readonly Asked[] {
    const self = { id: this.#self.id, device: undefined, leader: this.#leads, lock: this.#locked }
    return [{ ...self, responds: this.#responds }, ...[...this.#known.values()].sort(byDevice)]
  }

  responds(types: readonly string[]): void {
    this.#responds = types
    if (!this.#away) for (const to of WAYS) this.#post(to, [], [])
    this.#changed(true)
  }

  locked(locked: boolean): void {
    this.#locked = locked
    if (locked && !this.#away) this.#post('tabs', [], [])
  }

  died(id: string): void {
    if (this.#closed) return
    const change: Change = { here: [], gone: [] }
    this.#forget(keyOf(id, undefined), change)
    if (change.gone.length > 0 && !this.#away) this.#post('tabs', [], change.gone)
    this.#tell(change, 'tabs')
  }

  attached(device: string | undefined): void {
    if (this.#closed) return
    this.#named = device !== undefined
    if (device !== undefined) this.#rename(this.#options.nameOf(device))
    this.#away = true
    this.back()
    if (!this.#cancelTick) this.#tick()
  }

  back(): void {
    if (this.#closed || !this.#away) return
    this.#away = false
    this.#stoodStill()
    for (const to of WAYS) this.#post(to, this.#toldBy(to), [], true)
    this.#events.changed(this.members)
  }

  /** Nobody was heard for a while because this context heard nobody. */
  #stoodStill(): void {
    this.#tickedAt = this.#now
    for (const one of this.#known.values()) one.heardAt = this.#tickedAt
  }

  heard(frame: PresentFrame, way: 'log' | 'tabs' | 'links'): void {
    if (this.#closed) return
    const from = way === 'links' ? way : 'tabs'
    const change: Change = { here: [], gone: [] }
    const deviceOf = (device: string | undefined): string | undefined => {
      // Who has the same log is of this device, whatever it is called by now.
      const named = device ?? (way === 'log' ? undefined : frame.device)
      return named === this.#device ? undefined : named
    }
    this.#adopt(frame, way === 'log')
    // Whom the relay told of, it alone knows: others have it from here, or from before they stood still.
    const ofRelay = (key: string): boolean => this.#known.get(key)?.from === 'relay'
    for (const { id, device } of frame.gone ?? []) {
      const key = keyOf(id, deviceOf(device))
      if (!ofRelay(key)) this.#forget(key, change)
    }
    for (const told of frame.here) {
      const { age } = told
      const heardAt = this.#now - (age ?? 0)
      const device = deviceOf(told.device)
      const key = keyOf(told.id, device)
      if (ofRelay(key)) continue
      const last = this.#known.get(key)?.heardAt ?? this.#left.get(key)
      const isNews = age === undefined || (age < SILENCE_MS && (last ?? -Infinity) < heardAt)
      if (isNews) this.#note(told, device, heardAt, from, change)
    }
    this.#tell(change, from)
    if (frame.ask && !this.#away) this.#post(from, this.#toldBy(from), [])
  }

  leads(self: boolean): void {
    if (self === this.#leads || this.#closed) return
    this.#leads = self
    if (self) this.#unlead(this.#self.id)
    for (const one of this.#known.values()) {
      if (self && one.device !== undefined && one.from === 'tabs') one.from = 'relay'
      else if (!self && one.from === 'relay') {
        Object.assign(one, { from: 'tabs', heardAt: this.#now, doubted: false })
      }
    }
    if (self) this.doubt()
    else this.#endDoubt()
    if (!this.#away) for (const to of WAYS) this.#post(to, [], [])
    this.#changed(true)
  }

  room({ whole, devices }: PresenceFrame, own: string): void {
    if (this.#closed || !this.#leads) return
    const change: Change = { here: [], gone: [] }
    if (this.#rename(own)) for (const to of WAYS) this.#post(to, [], [])
    if (whole) this.#doubtAll()
    for (const { device, subject, members } of devices) {
      if (device === undefined || device === own) continue
      const ids = new Set(members.map(({ id }) => id))
      for (const [key, one] of this.#known) {
        if (one.device === device && !ids.has(one.id)) this.#forget(key, change)
      }
      for (const member of members) {
        const told = subject === undefined ? member : { ...member, subject }
        this.#note(told, device, this.#now, 'relay', change)
      }
    }
    this.#tell(change, 'relay')
    if (!whole) return
    this.#endDoubt()
    this.#dropDoubtedLater()
  }

  doubt(): void {
    if (!this.#leads) return
    this.#doubtAll()
    this.#dropDoubtedLater()
  }

  leave(): void {
    if (this.#away) return
    this.#away = true
    for (const to of WAYS) this.#post(to, [], [{ id: this.#self.id }])
    this.#events.changed(this.members)
  }

  close(): void {
    this.leave()
    this.#closed = true
    this.#cancelTick?.()
    this.#endDoubt()
    this.#known.clear()
    this.#changed(false)
    this.#callbacks.clear()
  }

  get #now(): number {
    return this.#options.platform.monotonic()
  }

  #tick(): void {
    const { platform } = this.#options
    this.#tickedAt = this.#now
    this.#cancelTick = platform.timer(BEAT_MS, () => {
      const now = this.#now
      if (now - this.#tickedAt >= SILENCE_MS) this.#stoodStill()
      const change: Change = { here: [], gone: [] }
      for (const [key, one] of this.#known) {
        if (one.from === 'relay') one.heardAt = now
        else if (now - one.heardAt >= SILENCE_MS) this.#forget(key, change)
      }
      for (const [key, at] of this.#left) if (now - at >= SILENCE_MS) this.#left.delete(key)
      this.#tell(change, 'tabs')
      if (!this.#away) for (const to of WAYS) this.#post(to, this.#toldBy(to), [])
      this.#tick()
    })
  }

  /** Without a log of its own a context is of the device of those who have one. */
  #adopt({ device, here }: PresentFrame, sameLog: boolean): void {
    const sender = here.find(({ age }) => age === undefined)
    if (device === undefined || !sender) return
    // A device that turned out to be a copy goes on as another one: its leader says so.
    const ledBy = sameLog && sender.leader === true && !this.#leads
    const free = this.#device === undefined || !this.#known.has(this.#namer)
    if (!ledBy && (this.#named || !(free || sender.id === this.#namer))) return
    this.#namer = sender.id
    this.#rename(device)
  }

  #rename(device: string): boolean {
    if (device === this.#device) return false
    this.#device = device
    for (const [key, one] of this.#known) if (one.device === device) this.#known.delete(key)
    this.#changed(false)
    return true
  }

  #note(
    { id, kind, source, leader: leads, subject, responds = NOTHING, lock }: Told,
    device: string | undefined,
    heardAt: number,
    from: Known['from'],
    { here }: Change,
  ): void {
    if (device === undefined && id === this.#self.id) return
    const key = keyOf(id, device)
    const old = this.#known.get(key)
    if (!old && this.#known.size >= MAX_KNOWN) return
    const leader = leads === true
    if (leader && device === undefined) this.#unlead(id)
    const known = { id, kind, source, leader, device, subject, heardAt, from, doubted: false }
    const locked = lock === true && from === 'tabs'
    const one = { ...known, responds: sameOr(old?.responds, responds), lock: locked }
    this.#left.delete(key)
    this.#known.set(key, one)
    if (!old || SHOWN.some((field) => old[field] !== one[field])) here.push(one)
  }

  /** One context leads a device. */
  #unlead(but: string): void {
    for (const one of this.#known.values()) {
      if (one.device === undefined && one.id !== but) one.leader = false
    }
  }

  #forget(key: string, { gone }: Change): void {
    const old = this.#known.get(key)
    this.#known.delete(key)
    if (old) gone.push(old)
    this.#left.delete(key)
    this.#left.set(key, this.#now)
    if (this.#left.size <= MAX_KNOWN) return
    for (const oldest of this.#left.keys()) {
      this.#left.delete(oldest)
      break
    }
  }

  #doubtAll(): void {
    for (const one of this.#known.values()) if (one.from === 'relay') one.doubted = true
  }

  #dropDoubtedLater(): void {
    this.#cancelDoubt ??= this.#options.platform.timer(GRACE_MS, () => {
      this.#cancelDoubt = undefined
      const change: Change = { here: [], gone: [] }
      for (const [key, one] of this.#known) if (one.doubted) this.#forget(key, change)
      this.#tell(change, 'relay')
    })
  }

  #endDoubt(): void {
    this.#cancelDoubt?.()
    this.#cancelDoubt = undefined
  }

  /** Tells of a change those who do not hear of it themselves. */
  #tell({ here, gone }: Change, from: Known['from']): void {
    if (here.length + gone.length === 0) return
    if (!this.#away) {
      if (from !== 'tabs') this.#post('tabs', here, gone)
      this.#post('links', here, gone)
    }
    this.#changed([...here, ...gone].some(({ device }) => device === undefined))
  }

  #changed(ofDevice: boolean): void {
    this.#snapshot = undefined
    this.#events.moved()
    if (ofDevice) this.#events.changed(this.members)
    for (const callback of [...this.#callbacks])
      if (this.#callbacks.has(callback)) this.#call(callback)
  }

  #call(callback: (members: readonly PresenceMember[]) => void): void {
    try {
      callback(this.get())
    } catch (cause) {
      this.#events.threw(cause)
    }
  }

  /** What those on a way hear from this context only. */
  #toldBy(to: 'tabs' | 'links'): Known[] {
    const all = [...this.#known.values()]
    return to === 'links' ? all : all.filter(({ from }) => from !== 'tabs')
  }

  #post(
    to: 'tabs' | 'links',
    others: readonly Known[],
    gone: readonly { readonly id: string; readonly device?: string | undefined }[],
    ask = false,
  ): void {
    const responds = this.#responds
    const myself = {
      ...presentOf(this.#self, this.#leads),
      ...(responds.length > 0 && { responds }),
      ...(this.#locked && LOCK),
    }
    const self = this.#away ? [] : [myself]
    this.#events.post(
      {
        ...(this.#device === undefined ? undefined : { device: this.#device }),
        ...(ask && { ask }),
        here: [...self, ...others.map((one) => this.#told(one))],
        ...(gone.length > 0 && {
          gone: gone.map(({ id, device }) => ({ id, ...(device !== undefined && { device }) })),
        }),
      },
      to,
    )
  }

  #told(one: Known): Told {
    const { device, subject, heardAt, responds } = one
    return {
      ...presentOf(one, one.leader),
      ...(responds.length > 0 && { responds }),
      ...(device !== undefined && { device }),
      ...(subject !== undefined && { subject }),
      age: Math.max(0, this.#now - heardAt),
    }
  }

  #take(): readonly PresenceMember[] {
    const own = this.#device ?? this.#options.device
    const mine: Known[] = []
    const room: Known[] = []
    for (const one of this.#known.values()) (one.device === undefined ? mine : room).push(one)
    // One that its room still has as of the device that this one was.
    const ids = new Set([this.#self.id, ...mine.map(({ id }) => id)])
    const member = (
      one: Pick<Present, 'id' | 'source' | 'kind'>,
      origin: PresenceMember['origin'],
      leader: boolean,
      { device = own, subject }: { device?: string | undefined; subject?: string | undefined } = {},
    ): PresenceMember => {
      const { id, source, kind } = one
      const shown = { id, device, source, kind, origin, leader }
      return Object.freeze(subject === undefined ? shown : { ...shown, subject })
    }
    return Object.freeze([
      member(this.#self, 'self', this.#leads),
      ...mine.sort(byDevice).map((one) => member(one, 'device', one.leader)),
      ...room
        .filter(({ id }) => !ids.has(id))
        .sort(byDevice)
        .map((one) => member(one, 'room', one.leader, one)),
    ])
  }
}

const WAYS = ['tabs', 'links'] as const
const LOCK = { lock: true } as const
const SHOWN = ['kind', 'source', 'leader', 'subject', 'responds', 'lock'] as const

function kindOf(kind: ContextKind): Present['kind'] {
  if (kind === 'worker' || kind === 'service-worker') return kind
  return kind === 'page' || kind === 'iframe' ? 'page' : 'process'
}

/** The list there was where the other says the same. */
function sameOr(old: readonly string[] = NOTHING, responds: readonly string[]): readonly string[] {
  return old.join() === responds.join() ? old : responds
}

function presentOf({ id, kind, source }: Present | Known, leader: boolean): Present {
  return leader ? { id, kind, source, leader } : { id, kind, source }
}

function keyOf(id: string, device: string | undefined): string {
  return device === undefined ? id : `${device} ${id}`
}

function byDevice(a: Known, b: Known): number {
  return keyOf(a.id, a.device) < keyOf(b.id, b.device) ? -1 : 1
}
