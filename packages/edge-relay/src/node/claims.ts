/** Who is in a room: as this relay tells it of its own devices, and as another one told it. */
import { checkOf, type PresentDevice } from '@crosstown/bus/protocol'
import type { Claims } from './signal.ts'

/** A device as the relay tells of it that has its connection. */
export interface Claim {
  /** When it was told, in changes of that relay. */
  readonly rev: number
  readonly device: PresentDevice
  readonly mark: number
  /** When it counts as gone, once its connection ended. */
  goneAtMs?: number | undefined
}

/** A hash of all that is said of a device, of which those of several can be laid over each other. */
function markOf(device: PresentDevice): number {
  return Number.parseInt(checkOf(JSON.stringify(device)), 36)
}

/** The devices of this relay in a room, and what of them the others were not told yet. */
export class OwnDevices {
  rev: number
  mark = 0
  readonly #max: number
  readonly #next: () => number
  readonly #claims = new Map<string, Claim>()
  /** Those whose connection ended a moment ago. */
  readonly #away = new Map<string, Claim>()
  readonly #changed = new Set<string>()
  readonly #left = new Set<string>()
  readonly #lost = new Set<string>()

  /**
   * @param max devices that others are told of
   * @param next the number of a change, higher than all before: the room may go out of memory and come
   * back, of which the others do not know
   */
  constructor(max: number, next: () => number) {
    this.#max = max
    this.#next = next
    this.rev = next()
  }

  get changed(): boolean {
    return this.#changed.size + this.#left.size + this.#lost.size > 0
  }

  /** Whether there is nobody, and that was told. */
  get idle(): boolean {
    return !this.changed && this.#claims.size + this.#away.size === 0
  }

  /** Whether that is news. */
  put(name: string, device: PresentDevice): boolean {
    const before = this.#claims.get(name)
    if (!before && this.#claims.size >= this.#max) return false
    const mark = markOf(device)
    if (before?.mark === mark) return false
    this.mark ^= (before?.mark ?? 0) ^ mark
    this.rev = this.#next()
    this.#claims.set(name, { rev: this.rev, device, mark })
    this.#away.delete(name)
    this.#changed.add(name)
    return true
  }

  /** @param goneAtMs until when it may come back; absent where it left by its own word */
  remove(name: string, goneAtMs?: number): boolean {
    const before = this.#claims.get(name)
    if (!before) return false
    this.mark ^= before.mark
    this.rev = this.#next()
    this.#claims.delete(name)
    this.#changed.delete(name)
    if (goneAtMs !== undefined) this.#away.set(name, { ...before, goneAtMs })
    const gone = goneAtMs === undefined ? this.#left : this.#lost
    gone.add(name)
    return true
  }

  tick(nowMs: number): void {
    for (const [name, { goneAtMs = nowMs }] of this.#away)
      if (goneAtMs <= nowMs) this.#away.delete(name)
  }

  /** What was not told yet. */
  take(): { readonly claims: Claims; readonly devices: readonly PresentDevice[] } {
    const { mark, rev } = this
    const devices = [...this.#changed].flatMap((name) => this.#claims.get(name)?.device ?? [])
    // Who came back meanwhile is there.
    const gone = (names: Set<string>): string[] =>
      [...names].filter((one) => !this.#claims.has(one))
    const claims = { rev, mark, left: gone(this.#left), lost: gone(this.#lost) }
    for (const names of [this.#changed, this.#left, this.#lost]) names.clear()
    return { claims, devices }
  }

  /** All of them. */
  all(): { readonly claims: Claims; readonly devices: readonly PresentDevice[] } {
    const { mark, rev } = this
    const all = [...this.#claims.values(), ...this.#away.values()]
    const names = [...this.#claims.keys()]
    const claims = { rev, mark, names, lost: [...this.#away.keys()] }
    return { claims, devices: all.map(({ device }) => device) }
  }
}

/** What changed of one device of another relay. */
export type Change = (name: string, claim: Claim | undefined, left: boolean) => void

/** The devices of another relay in a room, as it told of them. */
export class OtherDevices {
  readonly claims: Map<string, Claim> = new Map()
  /** Whether all of them were told, at least once. */
  whole = false
  /** When it last said where it stands. */
  confirmedMs: number
  /** When it was last asked for all of them. */
  askedMs: number = Number.NEGATIVE_INFINITY
  #rev = 0
  #mark = 0
  readonly #max: number

  constructor(nowMs: number, max: number) {
    this.confirmedMs = nowMs
    this.#max = max
  }

  /** Whether it is known what it has now, as far as it told. */
  get holds(): boolean {
    let mark = 0
    for (const claim of this.claims.values()) if (claim.goneAtMs === undefined) mark ^= claim.mark
    return this.whole && mark === this.#mark
  }

  /** It says where it stands. */
  stands(rev: number, mark: number, nowMs: number): void {
    this.confirmedMs = nowMs
    if (rev < this.#rev) return
    this.#rev = rev
    this.#mark = mark
  }

  /** It tells of some devices. What is older than what is known is passed over. */
  told(
    { left = [], lost = [], mark, names, rev }: Claims,
    devices: readonly PresentDevice[],
    nowMs: number,
    goneAtMs: number,
    changed: Change,
  ): void {
    this.stands(rev, mark, nowMs)
    for (const device of devices) {
      const { device: name } = device
      if (name === undefined) continue
      const known = this.claims.get(name)
      if (known ? known.rev > rev : this.claims.size >= this.#max) continue
      const claim: Claim = { rev, device, mark: markOf(device) }
      this.claims.set(name, claim)
      if (known?.mark !== claim.mark || known.goneAtMs !== undefined) changed(name, claim, false)
    }
    for (const name of left) this.#end(name, rev, undefined, changed)
    for (const name of lost) this.#end(name, rev, goneAtMs, changed)
    if (!names) return
    this.whole = true
    const there = new Set(names)
    for (const name of [...this.claims.keys()])
      if (!there.has(name)) this.#end(name, rev, goneAtMs, changed)
  }

  /** The relay is gone: its devices may come back at another. */
  gone(goneAtMs: number, changed: Change): void {
    for (const [name, { rev }] of [...this.claims]) this.#end(name, rev, goneAtMs, changed)
  }

  /** Ends those that did not come back. */
  tick(nowMs: number, changed: Change): void {
    for (const [name, { goneAtMs, rev }] of [...this.claims])
      if (goneAtMs !== undefined && goneAtMs <= nowMs) this.#end(name, rev, undefined, changed)
  }

  #end(name: string, rev: number, goneAtMs: number | undefined, changed: Change): void {
    const claim = this.claims.get(name)
    if (!claim || claim.rev > rev) return
    if (goneAtMs === undefined) {
      this.claims.delete(name)
      changed(name, undefined, true)
    } else if (claim.goneAtMs === undefined) {
      claim.goneAtMs = goneAtMs
      changed(name, claim, false)
    }
  }
}
