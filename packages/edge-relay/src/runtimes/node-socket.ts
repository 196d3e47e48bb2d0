/** A socket of `ws` behind the Socket port. */
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import type { Admission } from '../connection/context.ts'
import type { Relay } from '../relay.ts'
import { LOW_WATER_BYTES, type Socket, type SocketEvents } from '../socket.ts'

/** Of `ws`: where it takes what is sent. */
const OPEN = 1

/** A message of text that is whole and, as a server's are, not masked (RFC 6455, 5.2). */
const WHOLE_TEXT = 0x81
/** Lengths from here on stand in two bytes more, or in eight. */
const LENGTH_16 = 126
const LENGTH_64 = 127

/** A broadcast is the same string for many sockets: its frame is made once, in one piece. */
let lastText: string | undefined
let lastFrame: Buffer = Buffer.alloc(0)

function frameOf(text: string): Buffer {
  if (text === lastText) return lastFrame
  const length = Buffer.byteLength(text)
  const head = length < LENGTH_16 ? 2 : length < 2 ** 16 ? 4 : 10
  const frame = Buffer.allocUnsafe(head + length)
  frame[0] = WHOLE_TEXT
  if (head === 2) frame[1] = length
  else if (head === 4) {
    frame[1] = LENGTH_16
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = LENGTH_64
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  frame.write(text, head)
  lastText = text
  lastFrame = frame
  return frame
}

/**
 * Sockets that were sent something in this turn with more to follow, such as an ack and the stream with
 * it. It leaves in one write: a write costs more than what is in it. What nothing follows leaves at once,
 * before the relay does anything else.
 */
const corked: Duplex[] = []

function cork(stream: Duplex): void {
  if (stream.writableCorked > 0) return
  stream.cork()
  if (corked.push(stream) === 1) process.nextTick(uncorkAll)
}

function uncorkAll(): void {
  for (const stream of corked.splice(0)) stream.uncork()
}

/** What `ws` makes of an upgrade: one that knows what the relay has of it. */
export class ServedWebSocket extends WebSocket {
  served?: SocketEvents
}

// The same for all sockets: functions of its own would cost each of them more than what they know.

function heard(this: ServedWebSocket, data: { toString(): string }, isBinary: boolean): void {
  this.served?.onMessage(isBinary ? data : data.toString())
}

function closed(this: ServedWebSocket): void {
  this.served?.onClose()
}

/** What went wrong with a socket ends it, and 'close' follows. */
function failed(): void {}

/**
 * A socket of `ws`, which reads it, answers pings and closes it. Texts are written past `ws`, to the
 * stream that it writes to by itself: making a frame anew for each socket costs half as much as the
 * system's write. Without compression nothing is ever under way in `ws` that could be overtaken.
 */
export class NodeSocket implements Socket {
  readonly #ws: ServedWebSocket
  readonly #stream: Duplex

  constructor(ws: ServedWebSocket, stream: Duplex) {
    this.#ws = ws
    this.#stream = stream
  }

  /** Lets the relay have it. */
  open(relay: Relay, admission: Admission): void {
    this.#ws.served = relay.accept(this, admission)
    this.#ws.on('message', heard)
    this.#ws.on('close', closed)
    this.#ws.on('error', failed)
  }

  get bufferedAmount(): number {
    return this.#stream.writableLength
  }

  send(text: string, more = false): void {
    if (this.#ws.readyState !== OPEN) return
    const frame = frameOf(text)
    const stream = this.#stream
    if (more) cork(stream)
    // Only a socket that holds much can drain: the others need no callback.
    if (stream.writableLength + frame.length > LOW_WATER_BYTES)
      stream.write(frame, () => this.#flushed())
    else stream.write(frame)
  }

  close(code: number, reason: string): void {
    this.#ws.close(code, reason)
  }

  #flushed(): void {
    if (this.bufferedAmount <= LOW_WATER_BYTES) this.#ws.served?.onDrain()
  }
}
