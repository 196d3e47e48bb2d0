import {
  type Ask,
  type HelloFrame,
  INSPECT_VERSION,
  type InspectorFrame,
  type InspectRecord,
  type RelayInspectFrame,
  type TapFrame,
} from '@crosstown/bus/inspect'
import type { Relay } from '../relay.ts'
import type { Socket, SocketEvents } from '../socket.ts'

export type InspectorHears = RelayInspectFrame | TapFrame

type Unversioned<F> = F extends InspectorFrame ? Omit<F, 'inspect'> : never
type Named<N extends InspectorHears['frame']> = Extract<InspectorHears, { frame: N }>

/** The panel's end of an inspector's connection: keeps every frame until a test asks for it. */
export class InspectorProbe {
  readonly unread: InspectorHears[] = []
  /** Every record that came, of all peers. */
  readonly records: (InspectRecord & { readonly peer: string })[] = []
  closed: { readonly code: number; readonly reason: string } | undefined
  readonly #send: (text: string) => void
  #wake: (() => void)[] = []

  constructor(send: (text: string) => void) {
    this.#send = send
  }

  sendRaw(text: string): void {
    this.#send(text)
  }

  /** Says `join` and waits for the answer. */
  async join(token?: string): Promise<Named<'joined'>> {
    this.#send(JSON.stringify({ frame: 'join', ...(token !== undefined && { token }) }))
    return this.next('joined')
  }

  say(frame: Unversioned<InspectorFrame>): void {
    this.#send(JSON.stringify({ inspect: INSPECT_VERSION, ...frame }))
  }

  attach(session = 'panel', credit = 1_000, resume?: Record<string, number>): void {
    const frame = { frame: 'attach', session, credit, ...(resume && { resume }) } as const
    this.say(frame)
  }

  ask(to: string, id: number, ask: Ask, session = 'panel'): void {
    const frame = { frame: 'ask', session, to, id, ask } as const
    this.say(frame)
  }

  receive(text: string): void {
    const frame = JSON.parse(text) as InspectorHears
    this.unread.push(frame)
    if (frame.frame === 'batch' && Array.isArray(frame.records))
      this.records.push(...frame.records.map((record) => ({ ...record, peer: frame.peer })))
    this.#notify()
  }

  ended(code: number, reason: string): void {
    this.closed ??= { code, reason }
    this.#notify()
  }

  async next<N extends InspectorHears['frame']>(
    name: N,
    is: (frame: Named<N>) => boolean = () => true,
  ): Promise<Named<N>> {
    return this.until(() => {
      const index = this.unread.findIndex((frame) => frame.frame === name && is(frame as Named<N>))
      return index < 0 ? undefined : (this.unread.splice(index, 1)[0] as Named<N>)
    }, name)
  }

  hello(peer?: string): Promise<HelloFrame> {
    return this.next('hello', (hello) => peer === undefined || hello.peer === peer)
  }

  /** The first record that came and `is` this one. */
  record<Is extends InspectRecord['is']>(
    name: Is,
    is: (record: Extract<InspectRecord, { is: Is }> & { peer: string }) => boolean = () => true,
  ): Promise<Extract<InspectRecord, { is: Is }> & { readonly peer: string }> {
    type Found = Extract<InspectRecord, { is: Is }> & { readonly peer: string }
    return this.until(
      () => this.records.find((record) => record.is === name && is(record as Found)) as Found,
      name,
    )
  }

  async end(): Promise<{ readonly code: number; readonly reason: string }> {
    while (!this.closed) await this.#changed()
    return this.closed
  }

  /** What `find` gives, as soon as it gives something. */
  async until<T>(find: () => T | undefined, what: string): Promise<T> {
    for (;;) {
      const found = find()
      if (found !== undefined) return found
      if (this.closed) throw new Error(`closed with ${this.closed.reason}, no ${what} before`)
      await this.#changed()
    }
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve))
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

/** The socket a relay sees, with an inspector at its other end. */
export class InspectorSocket implements Socket {
  readonly probe: InspectorProbe
  bufferedAmount = 0
  #events: SocketEvents | undefined
  #closed = false

  constructor(relay: Relay, room = 'r') {
    this.probe = new InspectorProbe((text) => this.#events?.onMessage(text))
    this.#events = relay.accept(this, { room, inspect: true })
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
}

export type ConnectedInspector = InspectorProbe & {
  readonly protocol: string
  close(): void
  /** Reads nothing any more, until `resume`. */
  pause(): void
  resume(): void
}

/** An inspector over a real WebSocket. */
export async function connectInspector(
  url: string,
  protocols: string | readonly string[] = 'crosstown.inspect.v1',
  headers: Record<string, string> = {},
): Promise<ConnectedInspector> {
  const { WebSocket: Socket } = await import('ws')
  const socket = new Socket(url, protocols as string | string[], { headers })
  const probe = new InspectorProbe((text) => socket.send(text))
  socket.on('message', (data) => probe.receive(String(data)))
  socket.on('close', (code, reason) => probe.ended(code, String(reason)))
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  return Object.assign(probe, {
    protocol: socket.protocol,
    close: () => socket.close(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  })
}
