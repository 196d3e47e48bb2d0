/**
 * Who is in a room: each device says which of its contexts are there, and hears the same of the
 * others. Held by the connections and in memory only; a device whose connection ended stays for a
 * moment, in which it, or the next context that leads it, may come back unnoticed.
 *
 * ```
 * said by a device -> held -> changed -> to all others, at most once a tick
 * claimed elsewhere ---^  ^------ its first word: the whole list, to it alone
 * ```
 */
import { checkOf, type Present } from '@crosstown/bus/protocol'
import type { Limits } from './limits.ts'
import type { Claim } from './node/claims.ts'
import type { Platform } from './platform.ts'

/** A connection that says who is there. */
export interface Viewer {
  /** What others know its device by. */
  readonly name: string
  /** Whom its token belongs to, where there are tokens. */
  readonly subject: string | undefined
  /** Whether it may hear of the others. */
  readonly sees: boolean
  readonly bufferedAmount: number
  send(text: string): void
}

interface Held {
  /** Absent where another relay has its connection. */
  readonly viewer?: Viewer | undefined
  readonly subject: string | undefined
  /** Its members as text, in which they are sent. */
  readonly members: string
  /** Stands for who it is and what it said. */
  readonly mark: number
  /** When it counts as gone, once its connection ended. */
  goneAtMs?: number
}

export interface PresenceContext {
  readonly limits: Limits
  readonly platform: Platform
  /** What other relays say of the room, by name of the device; absent where there can be none. */
  readonly claims?: ReadonlyMap<string, Claim> | undefined
}

/** How long a device whose connection ended may take to come back. */
const GRACE_MS = 5_000
/** The least time between two rounds of changes. */
const ROUND_MS = 500
/** Characters of the devices in one frame, about. */
const FRAME_LENGTH = 256 * 1024
/** Devices in one frame at most. */
const MAX_DEVICES = 1_000

/** The contexts of one room's devices. */
export class Presence {
  readonly #context: PresenceContext
  /** By name of the device, in the order in which they came. */
  readonly #held = new Map<string, Held>()
  /** Those of them that others are told of. */
  readonly #shown = new Set<string>()
  readonly #changed = new Set<string>()
  /** Who has said something, with the mark of the list it has; without one that may have a hole. */
  readonly #viewers = new Map<Viewer, number | undefined>()
  #roundMs = Number.NEGATIVE_INFINITY
  #due = false

  constructor(context: PresenceContext) {
    this.#context = context
  }

  /** A device says which of its contexts are there; none: it leaves. */
  said(viewer: Viewer, members: readonly Present[]): void {
    const { name } = viewer
    const text = JSON.stringify(members)
    const before = this.#held.get(name)?.members
    if (members.length === 0) this.#follow(name, this.#context.claims?.get(name))
    else {
      this.#hold(name, { viewer, subject: viewer.subject, members: text })
      if (before !== text && this.#show(name)) this.#changed.add(name)
    }
    if (!this.#viewers.has(viewer)) {
      const isFirst = this.#viewers.size === 0
      this.#viewers.set(viewer, undefined)
      if (isFirst)
        for (const [other, claim] of this.#context.claims ?? []) this.elsewhere(other, claim)
      this.#sendWhole(viewer)
    }
    this.#roundSoon()
  }

  /** Another relay says who is there of a device; `undefined` where none has it any more. */
  elsewhere(name: string, claim: Claim | undefined): void {
    // Whoever comes first takes in what holds then.
    if (this.#viewers.size === 0) return
    const held = this.#held.get(name)
    // What is said here is newer than what is heard from there, or will be told there soon.
    if (held?.viewer && (held.goneAtMs === undefined || !isThere(claim))) return
    this.#follow(name, claim)
    this.#roundSoon()
  }

  /** Whether somebody here hears of the others. */
  get watched(): boolean {
    return this.#viewers.size > 0
  }

  /** What {@link resume} needs of a viewer who has said something. */
  of(viewer: Viewer): { readonly present?: string; readonly told?: number | undefined } {
    if (!this.#viewers.has(viewer)) return {}
    const held = this.#held.get(viewer.name)
    const present = held?.viewer === viewer ? held.members : '[]'
    return { present, told: this.#viewers.get(viewer) }
  }

  /** Takes in one who was there when this room went out of memory; once all are, {@link resumed}. */
  resume(viewer: Viewer, members: string, told: number | undefined): void {
    const { name } = viewer
    this.#viewers.set(viewer, told)
    if (members === '[]') return
    this.#hold(name, { viewer, subject: viewer.subject, members })
    this.#show(name)
  }

  /** Whoever knows another list than there is now gets the whole one: some may have left meanwhile. */
  resumed(): void {
    const mark = this.#mark()
    for (const [viewer, told] of this.#viewers)
      if (told !== mark) this.#viewers.set(viewer, undefined)
  }

  /** Until when nothing is to be done, as far as is known now. */
  get dueMs(): number {
    if (this.#changed.size > 0) return Number.NEGATIVE_INFINITY
    for (const told of this.#viewers.values())
      if (told === undefined) return Number.NEGATIVE_INFINITY
    let due = Number.POSITIVE_INFINITY
    for (const { goneAtMs = due } of this.#held.values()) due = Math.min(due, goneAtMs)
    return due
  }

  /** Its connection ended. */
  left(viewer: Viewer): void {
    if (!this.#viewers.delete(viewer)) return
    const held = this.#held.get(viewer.name)
    if (held?.viewer === viewer) held.goneAtMs = this.#context.platform.monotonic() + GRACE_MS
    if (this.#viewers.size > 0) return
    // Nobody is there to be told.
    for (const one of [this.#held, this.#shown, this.#changed]) one.clear()
  }

  /** Due twice a second. */
  tick(nowMs: number): void {
    for (const [name, { goneAtMs }] of this.#held) {
      if (goneAtMs !== undefined && goneAtMs <= nowMs)
        this.#follow(name, this.#context.claims?.get(name))
    }
    this.#round()
    for (const [viewer, told] of this.#viewers) if (told === undefined) this.#sendWhole(viewer)
  }

  /** Of all that others are told of. */
  #mark(): number {
    let mark = 0
    for (const name of this.#shown) mark ^= this.#held.get(name)?.mark ?? 0
    return mark
  }

  #hold(name: string, held: Omit<Held, 'mark'>): void {
    this.#held.set(name, { ...held, mark: markOf(name, held.members) })
  }

  /** It is where another relay says, or nowhere. */
  #follow(name: string, claim: Claim | undefined): void {
    const members = JSON.stringify(claim?.device.members ?? [])
    if (members === '[]') {
      this.#drop(name)
      return
    }
    const before = this.#held.get(name)?.members
    this.#hold(name, { subject: claim?.device.subject, members })
    if (before !== members && this.#show(name)) this.#changed.add(name)
  }

  #drop(name: string): void {
    this.#held.delete(name)
    if (!this.#shown.delete(name)) return
    this.#changed.add(name)
    for (const next of this.#held.keys()) {
      if (this.#shown.has(next)) continue
      if (this.#show(next)) this.#changed.add(next)
      return
    }
  }

  /** Whether others are told of it: a room shows so many devices, whoever came first. */
  #show(name: string): boolean {
    if (this.#shown.size < this.#context.limits.presenceDevices) this.#shown.add(name)
    return this.#shown.has(name)
  }

  /** At once where it has been quiet, with what else comes in this turn; else at the next tick. */
  #roundSoon(): void {
    const { platform } = this.#context
    if (this.#due || this.#changed.size === 0) return
    if (platform.monotonic() - this.#roundMs < ROUND_MS) return
    this.#due = true
    platform.soon(() => {
      this.#due = false
      this.#round()
    })
  }

  #round(): void {
    if (this.#changed.size === 0) return
    this.#roundMs = this.#context.platform.monotonic()
    const names = [...this.#changed]
    const texts = this.#texts(names, false)
    this.#changed.clear()
    const mark = this.#mark()
    for (const [viewer, told] of this.#viewers) {
      if (told === undefined) continue
      const isFull = viewer.sees && this.#isFull(viewer)
      this.#viewers.set(viewer, isFull ? undefined : mark)
      // What it said itself alone is no news to it.
      if (!viewer.sees || isFull || (names.length === 1 && names[0] === viewer.name)) continue
      for (const text of texts) viewer.send(text)
    }
  }

  #sendWhole(viewer: Viewer): void {
    if (viewer.sees && this.#isFull(viewer)) return
    this.#viewers.set(viewer, this.#mark())
    if (!viewer.sees) return
    const others = [...this.#shown].filter((name) => name !== viewer.name)
    for (const text of this.#texts(others, true)) viewer.send(text)
  }

  #isFull({ bufferedAmount }: Viewer): boolean {
    return bufferedAmount > this.#context.limits.pauseBytes
  }

  /** Frames of these devices; one that is not held left. */
  #texts(names: readonly string[], whole: boolean): string[] {
    const texts: string[] = []
    let devices: string[] = []
    let length = 0
    const end = (): void => {
      const first = whole && texts.length === 0 ? '"whole":true,' : ''
      texts.push(`{"frame":"presence",${first}"devices":[${devices.join()}]}`)
      devices = []
      length = 0
    }
    for (const name of names) {
      const { subject, members = '[]' } = this.#held.get(name) ?? {}
      const whose = subject === undefined ? '' : `"subject":${JSON.stringify(subject)},`
      devices.push(`{"device":${JSON.stringify(name)},${whose}"members":${members}}`)
      length += members.length
      if (length >= FRAME_LENGTH || devices.length >= MAX_DEVICES) end()
    }
    if (devices.length > 0 || texts.length === 0) end()
    return texts
  }
}

/** A hash of who a device is and what it said, of which those of several can be laid over each other. */
function markOf(name: string, members: string): number {
  return Number.parseInt(checkOf(`${name} ${members}`), 36)
}

function isThere(claim: Claim | undefined): boolean {
  return claim !== undefined && claim.goneAtMs === undefined
}
