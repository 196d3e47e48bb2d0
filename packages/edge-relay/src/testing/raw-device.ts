import {
  Credits,
  decodeFrame,
  encodeFrame,
  type Frame,
  type RelayFrame,
  type StreamFrame,
  SUBPROTOCOL,
  type WelcomeFrame,
} from '@crosstown/bus/protocol'
import { helloOf, publishOf } from './probe.ts'

/** Frames a device sends before it waits for an ack. */
const WINDOW = 4

/** Of a WebSocket, what is used here. */
export type RawSocket = Pick<
  WebSocket,
  'close' | 'onclose' | 'onmessage' | 'onopen' | 'readyState' | 'send'
>

/** What a device had when its cursor stood at a position. */
interface Mark {
  readonly position: string
  readonly events: number
  readonly confirmed: number
}

interface Batch {
  readonly number: number
  readonly ids: readonly string[]
}

/**
 * A device that speaks the protocol over real sockets and nothing else: publishes its batches, keeps
 * what it is told as a device must, and throws where the relay broke a promise. It outlives relays.
 */
export class RawDevice {
  readonly id: string
  /** Ids of the room's events, in the order of the stream. */
  readonly room: string[] = []
  readonly welcomes: WelcomeFrame[] = []
  readonly goaways: { readonly afterMs: number; readonly jitterMs: number }[] = []
  /** Close codes, of each connection that opened. */
  readonly codes: number[] = []
  readonly #batches: Batch[] = []
  #marks: Mark[] = []
  #sent = 0
  #acked = 0
  #confirmed = 0
  #socket: RawSocket | undefined
  /** Whether this connection was. */
  #welcomed = false
  readonly #onFrame: (name: string) => void

  /** @param onFrame called when a frame was taken */
  constructor(id: string, onFrame: (name: string) => void) {
    this.id = id
    this.#onFrame = onFrame
  }

  /** Takes on batches of one to five events. */
  add(batches: number): void {
    for (let i = 0; i < batches; i++) {
      const number = this.#batches.length + 1
      const ids = Array.from({ length: 1 + (number % 5) }, (_, k) => `${this.id}${number}-${k + 1}`)
      this.#batches.push({ number, ids })
    }
  }

  /** All it ever took on, in order. */
  get published(): string[] {
    return this.#batches.flatMap(({ ids }) => ids)
  }

  /** Events of batches that the relay said it has. */
  get acked(): string[] {
    return this.#batches.slice(0, this.#acked).flatMap(({ ids }) => ids)
  }

  get done(): boolean {
    return this.#confirmed === this.#batches.length
  }

  /**
   * One connection, until it ends.
   *
   * @param to a URL, or a socket that is about to open
   * @throws where the relay broke the protocol
   */
  async connect(to: string | RawSocket): Promise<void> {
    const socket: RawSocket = typeof to === 'string' ? new WebSocket(to, SUBPROTOCOL) : to
    this.#socket = socket
    const credits = new Credits()
    await new Promise<void>((resolve, reject) => {
      const send = (frame: Frame): void => socket.send(encodeFrame(frame))
      socket.onopen = () => {
        const [cursor, ...older] = this.#positions()
        const known = cursor === undefined ? {} : { cursor, older }
        send(helloOf(this.id, known))
      }
      socket.onmessage = ({ data }) => {
        try {
          const frame = decodeFrame(data)?.frame
          this.#take(frame)
          const bytes = frame && credits.took(frame as RelayFrame, data)
          if (bytes !== undefined) send({ frame: 'credit', bytes })
          this.#onFrame(frame?.frame ?? '')
        } catch (error) {
          socket.close()
          reject(error)
        }
      }
      // Where it did not open, a close follows as well.
      socket.onclose = ({ code }) => {
        this.codes.push(code)
        this.#welcomed = false
        resolve()
      }
    })
  }

  close(): void {
    this.#socket?.close()
  }

  /** Sends what was added since, to whom it is welcome. */
  go(): void {
    if (!this.#welcomed) return
    while (this.#sent < this.#batches.length && this.#sent < this.#acked + WINDOW) {
      const { ids, number } = this.#batches[this.#sent] as Batch
      const data = ids.map((id) => JSON.stringify(id.repeat(20)))
      this.#socket?.send(
        encodeFrame(publishOf(number, number === 1 ? undefined : number - 1, ids), data),
      )
      this.#sent += 1
    }
  }

  #take(frame: Frame | undefined): void {
    switch (frame?.frame) {
      case 'welcome':
        this.#welcome(frame)
        break
      case 'ack':
        must(frame.batch === this.#acked + 1 || frame.batch <= this.#acked, 'acks are in order')
        this.#acked = Math.max(this.#acked, frame.batch)
        break
      case 'stream':
        this.#stream(frame)
        break
      case 'goaway':
        this.goaways.push(frame)
        return
      case 'reject':
        must(frame.code === 'going_away', `reject with ${frame.code}`)
        return
      case 'error':
        throw new Error(`${frame.code}: ${frame.message}`)
    }
    this.go()
  }

  #welcome(welcome: WelcomeFrame): void {
    this.welcomes.push(welcome)
    this.#welcomed = true
    const taken = welcome.taken?.batch ?? 0
    if (welcome.reason === 'restored') {
      // What the room lost is sent again; what it kept of it stays where it is.
      const at = this.#marks.findIndex(({ position }) => position === welcome.from)
      this.#marks.splice(at + 1)
      this.room.splice(this.#marks[at]?.events ?? 0)
      this.#confirmed = this.#marks[at]?.confirmed ?? 0
      this.#acked = Math.min(this.#acked, taken)
    } else {
      must(taken >= this.#acked, `batch ${this.#acked} was acknowledged, ${taken} was taken`)
      must(welcome.recovered, 'the stream goes on at the cursor')
    }
    this.#acked = Math.max(this.#acked, taken)
    this.#sent = taken
    if (this.#cursor !== welcome.from) this.#mark(welcome.from)
  }

  #stream(frame: StreamFrame): void {
    must(frame.prev === this.#cursor, `a stream frame begins at the cursor`)
    for (const run of frame.runs) {
      if ('events' in run) this.room.push(...run.events.map(({ id }) => id))
      else {
        const { ids, number } = this.#batches[run.own.batch - 1] as Batch
        must(number === this.#confirmed + 1, `own batches are confirmed in order`)
        this.#confirmed = number
        this.room.push(...run.own.indexes.map((index) => ids[index] as string))
      }
    }
    this.#mark(frame.position)
  }

  get #cursor(): string | undefined {
    return this.#marks.at(-1)?.position
  }

  #mark(position: string): void {
    this.#marks.push({ position, events: this.room.length, confirmed: this.#confirmed })
  }

  /** The cursor, and older positions at doubling distance. */
  #positions(): string[] {
    const found: string[] = []
    for (let back = 1; back <= this.#marks.length; back *= 2)
      found.push((this.#marks.at(-back) as Mark).position)
    return found
  }
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`broken: ${what}`)
}
