/**
 * Who may come in: how many connections there are, in all and from one address, and how many requests
 * an address makes. Nothing is known of tokens here, so that it costs next to nothing to say no.
 */
import { BUS_ERROR_CODES, type BusErrorCode, toBusError } from '@crosstown/bus/protocol'
import type { Limits } from '../limits.ts'
import type { Platform } from '../platform.ts'
import type { ConnectionSnapshot, Socket, SocketEvents } from '../socket.ts'
import { Bucket } from './bucket.ts'
import { TooMuch } from './too-much.ts'

/** Addresses whose requests are remembered. */
const MAX_ADDRESSES = 10_000
/** When who found no room may ask again. */
const FULL_RETRY_MS = 5_000

export type GateLimits = Pick<Limits, 'connections' | 'addressConnections' | 'addressRequests'>

/** What becomes of a socket that asks to come in. */
export interface Door {
  readonly open: () => SocketEvents
  /** There was no room for it. */
  readonly full: (code: BusErrorCode) => void
}

export class Gate {
  readonly #limits: GateLimits
  readonly #platform: Pick<Platform, 'monotonic'>
  /** Connections of each address that has any. */
  readonly #open = new Map<string, number>()
  /** The address that asked last stands last. */
  readonly #requests = new Map<string, Bucket>()
  #connections = 0

  constructor(limits: GateLimits, platform: Pick<Platform, 'monotonic'>) {
    this.#limits = limits
    this.#platform = platform
  }

  /** Connections there are, with requests that are being answered. */
  get connections(): number {
    return this.#connections
  }

  /** Addresses that something is kept of. */
  get addresses(): number {
    return Math.max(this.#open.size, this.#requests.size)
  }

  /** Counts a request. @throws {TooMuch} rate_limited */
  request(address: string | undefined): void {
    if (address === undefined) return
    const nowMs = this.#platform.monotonic()
    const known = this.#requests.get(address)
    const bucket = known ?? new Bucket(this.#limits.addressRequests, nowMs)
    if (known) this.#requests.delete(address)
    else if (this.#requests.size >= MAX_ADDRESSES) this.#forget(nowMs)
    this.#requests.set(address, bucket)
    const waitMs = bucket.take(1, nowMs)
    if (waitMs > 0) throw new TooMuch('rate_limited', 'too many requests from this address', waitMs)
  }

  /** Whether there is room for one more. @throws {TooMuch} rate_limited, unavailable */
  check(address: string | undefined): void {
    const { addressConnections, connections } = this.#limits
    if (this.#connections >= connections)
      throw new TooMuch('unavailable', 'the relay has no room for more connections', FULL_RETRY_MS)
    if (address === undefined) return
    if ((this.#open.get(address) ?? 0) >= addressConnections)
      throw new TooMuch('rate_limited', 'too many connections from this address', FULL_RETRY_MS)
  }

  /**
   * Takes one in, until the returned function is called.
   *
   * @throws {TooMuch} rate_limited, unavailable
   */
  enter(address: string | undefined): () => void {
    this.check(address)
    this.#count(address)
    let inside = true
    return () => {
      if (inside) this.leave(address)
      inside = false
    }
  }

  /** One who was inside is gone. */
  leave(address: string | undefined): void {
    this.#connections -= 1
    if (address === undefined) return
    const left = (this.#open.get(address) ?? 1) - 1
    if (left > 0) this.#open.set(address, left)
    else this.#open.delete(address)
  }

  #count(address: string | undefined): void {
    this.#connections += 1
    if (address !== undefined) this.#open.set(address, (this.#open.get(address) ?? 0) + 1)
  }

  /**
   * Takes in a socket, until it is gone. Where others came since its request was admitted it is closed
   * at once, to come back.
   */
  accept(socket: Socket, address: string | undefined, { full, open }: Door): SocketEvents {
    try {
      this.check(address)
    } catch (error) {
      const { code } = toBusError(error, 'unavailable', 'there is no room')
      socket.close(BUS_ERROR_CODES[code], code)
      full(code)
      return { onMessage() {}, onClose() {}, onDrain() {} }
    }
    this.#count(address)
    return new Inside(open(), this, address)
  }

  /** Takes in one who was inside before this object was there. */
  resume(address: string | undefined, events: SocketEvents): SocketEvents {
    this.#count(address)
    return new Inside(events, this, address)
  }

  /** Makes room for an address: those whose buckets are full say nothing, else the quietest goes. */
  #forget(nowMs: number): void {
    for (const [address, bucket] of this.#requests) {
      if (!bucket.isFull(nowMs) && this.#requests.size < MAX_ADDRESSES) return
      this.#requests.delete(address)
    }
  }
}

/** A class, because there is one for each connection: an object with a getter of its own is large. */
class Inside implements SocketEvents {
  readonly #events: SocketEvents
  readonly #gate: Gate
  readonly #address: string | undefined

  constructor(events: SocketEvents, gate: Gate, address: string | undefined) {
    this.#events = events
    this.#gate = gate
    this.#address = address
  }

  get snapshot(): ConnectionSnapshot | undefined {
    return this.#events.snapshot
  }

  onMessage(message: unknown): void {
    this.#events.onMessage(message)
  }

  onClose(): void {
    this.#gate.leave(this.#address)
    this.#events.onClose()
  }

  onDrain(): void {
    this.#events.onDrain()
  }
}
