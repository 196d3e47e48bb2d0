/** A relay whose memory can be taken away at any moment, while its sockets stay open. */
import { SUBPROTOCOL } from '@crosstown/bus/protocol'
import { CreditMeter } from '../credits.ts'
import type { RelayOptions } from '../options.ts'
import { createRelay, type Relay } from '../relay.ts'
import type { ConnectionSnapshot, Socket, SocketEvents } from '../socket.ts'
import { memoryStore } from '../stores/memory.ts'
import type { Store } from '../stores/store.ts'
import { ManualPlatform } from './manual-platform.ts'
import type { RawSocket } from './raw-device.ts'

const ROOM = 'r'

/** The other end of a socket. */
export interface Client {
  receive(text: string): void
  ended(code: number, reason: string): void
}

/** One socket, which outlives the relays that have it. */
class Wire {
  readonly client: Client
  end: End | undefined
  events: SocketEvents | undefined
  left: string | undefined
  pingedMs: number | undefined

  constructor(client: Client) {
    this.client = client
  }
}

/** A socket as one relay has it. */
class End implements Socket {
  readonly credits: CreditMeter
  readonly #wire: Wire

  constructor(wire: Wire, credits: CreditMeter) {
    this.#wire = wire
    this.credits = credits
  }

  get bufferedAmount(): number {
    return this.credits.outstanding
  }

  get pingedMs(): number | undefined {
    return this.#wire.pingedMs
  }

  send(text: string): void {
    // What a relay does that is no more reaches nobody.
    if (this.#wire.end !== this) return
    this.credits.sent(text)
    this.#wire.client.receive(text)
  }

  close(code: number, reason: string): void {
    if (this.#wire.end !== this) return
    this.#wire.end = undefined
    this.#wire.client.ended(code, reason)
    this.#wire.events?.onClose()
  }
}

/** A store for one life: after it, nothing that was asked is answered. */
function mortal(store: Store, isAlive: () => boolean): Store {
  const never = new Promise<never>(() => {})
  return new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        if (!isAlive()) return never
        const result: unknown = await value.apply(target, args)
        // Time to go to sleep between a commit and all who hear of it.
        if (key === 'append') await new Promise((resolve) => setImmediate(resolve))
        return isAlive() ? result : never
      }
    },
  })
}

export class SleepingRelay {
  readonly platform: ManualPlatform = new ManualPlatform()
  readonly #options: Omit<RelayOptions, 'store' | 'platform' | 'driven'>
  readonly #store: Store = memoryStore()
  readonly #wires = new Set<Wire>()
  #relay: Relay
  #awake = true
  /** What came while nobody was there. */
  readonly #waiting: (() => void)[] = []

  constructor(options: Omit<RelayOptions, 'store' | 'platform' | 'driven'> = {}) {
    this.#options = options
    this.#relay = this.#begin()
  }

  /** The one that lives now. */
  get relay(): Relay {
    return this.#relay
  }

  #begin(): Relay {
    const store = mortal(this.#store, () => this.#relay === relay)
    const relay: Relay = createRelay({
      ...this.#options,
      store,
      platform: this.platform,
      driven: true,
    })
    this.#relay = relay
    return relay
  }

  /**
   * Opens a socket.
   *
   * @returns what its client does with it
   */
  open(client: Client): Pick<SocketEvents, 'onMessage' | 'onClose'> & { pinged(): void } {
    const wire = new Wire(client)
    this.#wires.add(wire)
    const end = new End(wire, new CreditMeter())
    wire.end = end
    this.#do(() => {
      wire.events = this.#relay.accept(end, { room: ROOM })
    })
    return {
      onMessage: (message) => {
        this.#do(() => wire.end && wire.events?.onMessage(message))
      },
      onClose: () => {
        wire.end = undefined
        this.#do(() => wire.events?.onClose())
      },
      pinged: () => {
        wire.pingedMs = this.platform.monotonic()
      },
    }
  }

  /** A WebSocket of a client. */
  socket(): RawSocket {
    const socket: RawSocket = {
      readyState: 1,
      onopen: null,
      onmessage: null,
      onclose: null,
      send: (text) => wire.onMessage(text),
      close() {
        wire.onClose()
        ended(1000)
      },
    }
    const call = (listener: unknown, event: object): void =>
      (listener as ((event: object) => void) | null)?.(event)
    const ended = (code: number): void => call(socket.onclose, { code })
    const wire = this.open({ receive: (data) => call(socket.onmessage, { data }), ended })
    queueMicrotask(() => call(socket.onopen, { protocol: SUBPROTOCOL }))
    return socket
  }

  /** Forgets everything, and goes on from what is left: what comes meanwhile waits for that. */
  sleep(): void {
    const kept: [Wire, End, ConnectionSnapshot][] = []
    for (const wire of [...this.#wires]) {
      const { end, events } = wire
      if (!end) this.#wires.delete(wire)
      const snapshot = events?.snapshot
      // Where it sleeps again before it was awake, what is left is what was left.
      if (end && snapshot) wire.left = JSON.stringify([snapshot, end.credits.counts])
      wire.events = undefined
      if (!end || wire.left === undefined) continue
      const [left, counts] = JSON.parse(wire.left) as [
        ConnectionSnapshot,
        readonly [number, number],
      ]
      wire.end = new End(wire, new CreditMeter(counts))
      kept.push([wire, wire.end, left])
    }
    const relay = this.#begin()
    this.#awake = false
    void relay.resume(kept.map(([, end, snapshot]) => [end, snapshot])).then((events) => {
      if (this.#relay !== relay) return
      for (const [i, [wire]] of kept.entries()) wire.events = events[i]
      this.#awake = true
      this.#do(() => {})
    })
  }

  /** In the order of calls, never while nobody is there, and never within one another. */
  #do(what: () => void): void {
    this.#waiting.push(what)
    queueMicrotask(() => {
      while (this.#awake) {
        const next = this.#waiting.shift()
        if (!next) return
        next()
      }
    })
  }
}
