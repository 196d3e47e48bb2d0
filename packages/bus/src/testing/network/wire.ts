/**
 * One simulated WebSocket: a pair of ends and what is on its way between them. Each direction
 * keeps its order; a text arrives whole, late, or not at all.
 */
import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'

/** The relay's end, as a relay is given it. */
export interface RelayEnd {
  send(text: string): void
  /** Bytes sent that have not arrived. */
  readonly bufferedAmount: number
  close(code: number, reason: string): void
}

/** What a relay hears of its end. */
export interface RelayEndEvents {
  onMessage(message: unknown): void
  onClose(): void
  onDrain(): void
}

/** What a context hears of its end. */
export interface DeviceEndEvents {
  opened(): void
  received(text: string): void
  closed(code: number): void
}

/** How the two ends reach the code that listens there. */
export interface WireHost {
  readonly scheduler: Scheduler
  readonly random: Random
  /** Before the label of what happens on it. */
  readonly name: string
  /** Runs `run` in the context, if it lives; later, if it is frozen. */
  readonly inContext: (run: () => void) => void
  /** Runs `run` in the relay's process, if it is the one that took the connection. */
  readonly inRelay: (run: () => void) => void
  /** Both ends know that it is over. */
  readonly ended: (wire: Wire) => void
}

/** Milliseconds one way, and to find out that nobody is there. */
const LATENCY: readonly [number, number] = [2, 30]
/** The code a browser gives a connection that ended without one. */
const ABNORMAL = 1006
/** Where a sender that held more than this hears that it drained. */
const LOW_WATER = 256 * 1024

export class Wire {
  readonly #host: WireHost
  readonly #device: DeviceEndEvents
  #relay: RelayEndEvents | undefined
  /** Each end is open until it was closed, or heard that the other is. */
  #deviceOpen = true
  #relayOpen = false
  /** Nothing arrives any more, and no end is told. */
  #halfOpen = false
  #toDeviceAt = 0
  #toRelayAt = 0
  #buffered = 0

  constructor(host: WireHost, device: DeviceEndEvents) {
    this.#host = host
    this.#device = device
  }

  /** Whether the context's end takes this connection for a live one. */
  get deviceOpen(): boolean {
    return this.#deviceOpen
  }

  get relayOpen(): boolean {
    return this.#relayOpen
  }

  /** Connects, or fails: `accept` gives what the relay listens with, if there is a relay. */
  connect(accept: (end: RelayEnd) => RelayEndEvents | undefined): void {
    const { inContext } = this.#host
    this.#toRelay('socket connects', () => {
      if (!this.#deviceOpen) {
        this.#settle()
        return
      }
      this.#relayOpen = true
      this.#relay = accept(this.#relayEnd())
      if (!this.#relay) {
        this.#relayOpen = false
        this.#toDevice('socket refused', () => inContext(() => this.#closeDevice(ABNORMAL)))
        return
      }
      this.#toDevice('socket opens', () =>
        inContext(() => {
          if (this.#deviceOpen) this.#device.opened()
        }),
      )
    })
  }

  send(text: string): void {
    if (!this.#deviceOpen) return
    this.#toRelay(
      'socket up',
      () => {
        if (this.#relayOpen) this.#host.inRelay(() => this.#relay?.onMessage(text))
      },
      text,
    )
  }

  /** The context closes its end, or died. */
  close(): void {
    if (!this.#deviceOpen) return
    this.#deviceOpen = false
    this.#toRelay('socket closes', () => this.#closeRelay())
    this.#settle()
  }

  /** The connection breaks, and both ends find out. */
  drop(): void {
    if (this.#halfOpen) return
    const { scheduler, random, inContext } = this.#host
    this.#halfOpen = true
    const device = random.between(...LATENCY)
    scheduler.schedule(device, 'socket lost', () => inContext(() => this.#closeDevice(ABNORMAL)))
    const relay = random.between(...LATENCY)
    scheduler.schedule(relay, 'socket lost at the relay', () => this.#closeRelay())
  }

  /** From now on nothing arrives, and nobody is told. */
  halfOpen(): void {
    this.#halfOpen = true
  }

  /** The relay's process died. */
  relayGone(): void {
    this.#relayOpen = false
    if (!this.#halfOpen) this.drop()
    this.#settle()
  }

  #relayEnd(): RelayEnd {
    const wire = this
    return {
      send: (text) => this.#sendDown(text),
      get bufferedAmount() {
        return wire.#buffered
      },
      close: (code) => {
        if (!this.#relayOpen) return
        this.#relayOpen = false
        this.#toDevice('socket closed by the relay', () =>
          this.#host.inContext(() => this.#closeDevice(code)),
        )
        this.#settle()
      },
    }
  }

  #sendDown(text: string): void {
    if (!this.#relayOpen) return
    this.#buffered += text.length
    this.#toDevice('socket down', () => this.#host.inContext(() => this.#arrived(text)), text)
  }

  #arrived(text: string): void {
    const was = this.#buffered
    this.#buffered -= text.length
    if (this.#deviceOpen) this.#device.received(text)
    if (was > LOW_WATER && this.#buffered <= LOW_WATER && this.#relayOpen)
      this.#host.inRelay(() => this.#relay?.onDrain())
  }

  #closeDevice(code: number): void {
    if (!this.#deviceOpen) return
    this.#deviceOpen = false
    this.#device.closed(code)
    this.#settle()
  }

  #closeRelay(): void {
    if (!this.#relayOpen) return
    this.#relayOpen = false
    this.#host.inRelay(() => this.#relay?.onClose())
    this.#settle()
  }

  #settle(): void {
    if (!this.#deviceOpen && !this.#relayOpen) this.#host.ended(this)
  }

  #toRelay(label: string, run: () => void, detail?: string): void {
    const { scheduler, random } = this.#host
    this.#toRelayAt = Math.max(this.#toRelayAt, scheduler.now + random.between(...LATENCY))
    this.#carry(this.#toRelayAt, label, run, detail)
  }

  #toDevice(label: string, run: () => void, detail?: string): void {
    const { scheduler, random } = this.#host
    this.#toDeviceAt = Math.max(this.#toDeviceAt, scheduler.now + random.between(...LATENCY))
    this.#carry(this.#toDeviceAt, label, run, detail)
  }

  #carry(at: number, label: string, run: () => void, detail?: string): void {
    const { scheduler, name } = this.#host
    scheduler.schedule(
      at - scheduler.now,
      name + label,
      () => {
        if (!this.#halfOpen) run()
      },
      detail,
    )
  }
}
