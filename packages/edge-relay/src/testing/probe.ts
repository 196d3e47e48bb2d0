import {
  BusError,
  Credits,
  checkOf,
  type Decoded,
  decodeFrame,
  type EventHeader,
  encodeFrame,
  type Frame,
  type HelloFrame,
  type PublishFrame,
  positionOf,
  type RelayFrame,
  type StreamFrame,
  SUBPROTOCOL,
  startOf,
  type Term,
  type WelcomeFrame,
} from '@crosstown/bus/protocol'
import { chainOver } from '../chain.ts'
import type { Socket, SocketEvents } from '../socket.ts'

type Named<N extends Frame['frame']> = Decoded<Extract<Frame, { frame: N }>>

/** The device's end of a connection: keeps every frame until a test asks for it. */
export class Probe {
  readonly unread: Decoded<Frame>[] = []
  closed: { readonly code: number; readonly reason: string } | undefined
  /** Whether it says what it took, where the relay asks for that. */
  gives = true
  readonly #send: (message: string | Uint8Array) => void
  readonly #credits = new Credits()
  #owes: number | undefined
  #wake: (() => void)[] = []

  constructor(send: (message: string | Uint8Array) => void) {
    this.#send = send
  }

  send(frame: Frame, data: readonly string[] = []): void {
    this.#send(encodeFrame(frame, data))
  }

  sendRaw(message: string | Uint8Array): void {
    this.#send(message)
  }

  /** Says what it took, from now on as it goes. */
  give(): void {
    this.gives = true
    if (this.#owes !== undefined) this.send({ frame: 'credit', bytes: this.#owes })
    this.#owes = undefined
  }

  /** Resolves when something comes, or it is closed. */
  more(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve))
  }

  /** What came; called by whatever carries it. */
  receive(text: unknown): void {
    const decoded = decodeFrame(text)
    if (decoded) {
      this.unread.push(decoded)
      const bytes = this.#credits.took(decoded.frame as RelayFrame, text as string)
      this.#owes = bytes ?? this.#owes
      if (this.gives) this.give()
    }
    this.#notify()
  }

  ended(code: number, reason: string): void {
    this.closed ??= { code, reason }
    this.#notify()
  }

  /** The first unread frame of a name, as soon as there is one; what came before it is dropped. */
  async next<N extends Frame['frame']>(name: N): Promise<Named<N>> {
    for (;;) {
      const index = this.unread.findIndex(({ frame }) => frame.frame === name)
      if (index >= 0) return this.unread.splice(0, index + 1).at(-1) as unknown as Named<N>
      if (this.closed)
        throw new Error(`closed with ${this.closed.code} ${this.closed.reason}, no ${name} before`)
      await this.more()
    }
  }

  /** How the connection was closed, as soon as it is. */
  async end(): Promise<{ readonly code: number; readonly reason: string }> {
    while (!this.closed) await this.more()
    return this.closed
  }

  /** Says hello and waits for the answer. */
  async join(device: string, extra: Partial<HelloFrame> = {}): Promise<WelcomeFrame> {
    this.send(helloOf(device, extra))
    return (await this.next('welcome')).frame
  }

  /** Reads stream frames until `enough`; checks that each begins where the one before ended. */
  async stream(
    from: string,
    enough: (ids: readonly string[], last: StreamFrame) => boolean,
  ): Promise<Streamed> {
    const ids: string[] = []
    const own: number[] = []
    const frames: StreamFrame[] = []
    let position = from
    for (;;) {
      const { frame } = await this.next('stream')
      if (frame.prev !== position)
        throw new Error(`a stream frame begins at ${frame.prev} instead of ${position}`)
      position = frame.position
      frames.push(frame)
      for (const run of frame.runs) {
        if ('events' in run) ids.push(...run.events.map(({ id }) => id))
        else own.push(run.own.batch)
      }
      if (enough(ids, frame)) return { ids, own, position, frames }
    }
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

/** What a probe read of the room's stream. */
export interface Streamed {
  readonly ids: readonly string[]
  /** Numbers of own batches, in room order. */
  readonly own: readonly number[]
  readonly position: string
  readonly frames: readonly StreamFrame[]
}

/** The socket a relay sees, with a probe at its other end. */
export class ProbeSocket implements Socket {
  readonly probe: Probe
  bufferedAmount = 0
  #events: SocketEvents | undefined
  #closed = false

  constructor() {
    this.probe = new Probe((message) => this.#events?.onMessage(message))
  }

  /** Connects it: what the relay returned for this socket. */
  open(events: SocketEvents): this {
    this.#events = events
    return this
  }

  send(text: string): void {
    if (!this.#closed) this.probe.receive(text)
  }

  close(code: number, reason: string): void {
    this.#closed = true
    this.probe.ended(code, reason)
  }

  /** The other side is gone, without a word. */
  drop(): void {
    this.#closed = true
    this.#events?.onClose()
  }

  drain(): void {
    this.bufferedAmount = 0
    this.#events?.onDrain()
  }
}

/** A probe over a real WebSocket. @throws {BusError} unreachable where it does not open */
export async function connectProbe(
  url: string,
  protocol: string = SUBPROTOCOL,
): Promise<Probe & { close(): void }> {
  const socket = new WebSocket(url, protocol)
  const probe = new Probe((message) => socket.send(message as string))
  socket.addEventListener('message', ({ data }) => probe.receive(data))
  socket.addEventListener('close', ({ code, reason }) => probe.ended(code, reason))
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true })
    socket.addEventListener(
      'error',
      () => reject(new BusError('unreachable', `cannot connect to ${url}`)),
      { once: true },
    )
  })
  return Object.assign(probe, { close: () => socket.close() })
}

/** A term every test device may have. */
export const TERM: Term = [1, 'one']

/** The hello of a device with this id. */
export function helloOf(device: string, extra: Partial<HelloFrame> = {}): HelloFrame {
  return {
    frame: 'hello',
    version: 1,
    log: `log-of-${device}`,
    device: { id: device, secret: `secret-of-${device}` },
    terms: [TERM],
    ...extra,
  }
}

/** A header of an event. */
export function headerOf(
  id: string,
  type = 'cart.item_added',
  extra: Partial<EventHeader> = {},
): EventHeader {
  return { id, type, source: 'test', time: 1, ...extra }
}

/** The cursor of a device that has a room up to the last of these events. */
export function cursorAfter(epoch: string, ids: readonly string[]): string {
  const lastId = ids.at(-1)
  if (lastId === undefined) return startOf(epoch)
  const headers = ids.map((id) => ({ id }))
  const chain = chainOver('', { headers, lastId }, ids.length)
  return positionOf(epoch, ids.length, checkOf(lastId), chain)
}

/** A publish of events with these ids, or of these headers. */
export function publishOf(
  batch: number,
  prev: number | undefined,
  events: readonly (string | EventHeader)[],
  extra: Partial<PublishFrame> = {},
): PublishFrame {
  return {
    frame: 'publish',
    batch,
    ...(prev !== undefined && { prev }),
    term: TERM,
    events: events.map((event) => (typeof event === 'string' ? headerOf(event) : event)),
    ...extra,
  }
}
