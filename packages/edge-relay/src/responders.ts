/** The devices of a room that ask or respond, and what each responds to. */
import type { Platform } from './platform.ts'

/** A connection of a device that asks or responds. */
export interface Caller {
  /** What others know its device by. */
  readonly name: string
  readonly bufferedAmount: number
  /** Whether its token may read events of a type, and so be asked. */
  mayAnswer(type: string): boolean
  send(text: string, more?: boolean): void
}

export interface Device {
  /** Absent while it is away. */
  caller: Caller | undefined
  types: ReadonlySet<string>
  /** When it counts as gone. */
  goneAtMs: number
  /** Its requests that wait, and the characters of them. */
  asks: number
  length: number
}

/** How long a device whose connection ended may take to come back. */
const GRACE_MS = 5_000

/** Known once they ask or respond, until they have been away for a while. */
export class Responders {
  readonly #platform: Platform
  readonly #devices = new Map<string, Device>()
  /** Names of devices by what they respond to. */
  readonly #byType = new Map<string, Set<string>>()

  constructor(platform: Platform) {
    this.#platform = platform
  }

  get size(): number {
    return this.#devices.size
  }

  get(name: string): Device | undefined {
    return this.#devices.get(name)
  }

  /** A device, by the connection that it has now. */
  of(caller: Caller): Device {
    let device = this.#devices.get(caller.name)
    if (!device) {
      device = { caller, types: new Set(), goneAtMs: 0, asks: 0, length: 0 }
      this.#devices.set(caller.name, device)
    }
    device.caller = caller
    return device
  }

  /** Names of those that respond, those that are away for a moment included. */
  to(type: string): Iterable<string> {
    return this.#byType.get(type) ?? []
  }

  /** From now on it responds to these. */
  put(device: Device, name: string, types: readonly string[]): void {
    const before = device.types
    device.types = new Set(types)
    for (const type of before) if (!device.types.has(type)) this.#unlist(type, name)
    for (const type of device.types) {
      const names = this.#byType.get(type)
      if (names) names.add(name)
      else this.#byType.set(type, new Set([name]))
    }
  }

  /** Its connection ended. */
  left(caller: Caller): void {
    const device = this.#devices.get(caller.name)
    if (device?.caller !== caller) return
    device.caller = undefined
    device.goneAtMs = this.#platform.monotonic() + GRACE_MS
    if (device.types.size + device.asks === 0) this.#devices.delete(caller.name)
  }

  /** Takes out those that did not come back. */
  *gone(nowMs: number): Generator<string> {
    for (const [name, { caller, goneAtMs, types }] of this.#devices) {
      if (caller || goneAtMs > nowMs) continue
      for (const type of types) this.#unlist(type, name)
      this.#devices.delete(name)
      yield name
    }
  }

  #unlist(type: string, name: string): void {
    const names = this.#byType.get(type)
    if (names?.delete(name) && names.size === 0) this.#byType.delete(type)
  }
}
