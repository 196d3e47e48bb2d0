/**
 * Requests from device to device. Each device says what it responds to; whoever asks is given to all
 * others that do, and hears the first reply. In memory only: after a restart devices ask again what
 * they still wait for.
 *
 * ```
 * asked -> every device that responds -> first reply -> who asked, and `cancel` to the others
 *   ^---- again, to a device that came back while it was at it
 * ```
 */
import {
  type BusErrorCode,
  type EventHeader,
  encodeFrame,
  MAX_EVENT_BYTES,
  type ReplyFrame,
  utf8Length,
} from '@crosstown/bus/protocol'
import { isNestedOver } from './guard/nesting.ts'
import type { Limits } from './limits.ts'
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

export interface RequestsContext {
  readonly limits: Limits
  readonly platform: Platform
}

interface Device {
  /** Absent while it is away. */
  caller: Caller | undefined
  types: ReadonlySet<string>
  /** When it counts as gone. */
  goneAtMs: number
  /** Its requests that wait, and the characters of them. */
  asks: number
  length: number
}

interface Ask {
  readonly device: string
  readonly header: EventHeader
  readonly dataText: string
  readonly endsMs: number
  /** Until when somebody who responds is waited for. */
  readonly waitsMs: number
  /** Devices that have not replied. */
  readonly asked: Set<string>
  failure: Failure | undefined
}

interface Failure {
  readonly code: BusErrorCode
  readonly message: string
}

/** What a device asks with: one event, and how long for. */
export interface Asked {
  readonly header: EventHeader
  readonly dataText: string
  readonly timeoutMs: number
  readonly waitMs?: number | undefined
}

/** How long a device whose connection ended may take to come back. */
const GRACE_MS = 5_000
/** Requests of one device that wait at most, and the characters of them. */
const MAX_ASKS = 1_000
const MAX_LENGTH = 8 * 1024 * 1024
/** Nobody waits longer. */
const MAX_TIMEOUT_MS = 10 * 60_000

/** The requests of one room. */
export class Requests {
  readonly #context: RequestsContext
  readonly #devices = new Map<string, Device>()
  readonly #asks = new Map<string, Ask>()

  constructor(context: RequestsContext) {
    this.#context = context
  }

  /** A device, by the connection that it has now; known once it asks or responds. */
  #deviceOf(caller: Caller): Device {
    let device = this.#devices.get(caller.name)
    if (!device) {
      device = { caller, types: new Set(), goneAtMs: 0, asks: 0, length: 0 }
      this.#devices.set(caller.name, device)
    }
    device.caller = caller
    return device
  }

  /** Its connection ended. */
  left(caller: Caller): void {
    const device = this.#devices.get(caller.name)
    if (device?.caller !== caller) return
    device.caller = undefined
    device.goneAtMs = this.#now + GRACE_MS
    if (device.types.size + device.asks === 0) this.#devices.delete(caller.name)
  }

  /** A device says what it responds to: what it was asked, or nobody could be, it is asked now. */
  said(caller: Caller, types: readonly string[]): void {
    if (types.length === 0 && !this.#devices.has(caller.name)) return
    const device = this.#deviceOf(caller)
    device.types = new Set(types.filter((type) => caller.mayAnswer(type)))
    for (const ask of [...this.#asks.values()]) {
      const responds = device.types.has(ask.header.type) && ask.device !== caller.name
      if (!responds) this.#passedBy(ask, caller.name)
      else if (ask.asked.has(caller.name) || ask.asked.size === 0) this.#ask(ask, caller.name)
    }
  }

  /** A device asks; again, where it was away. */
  ask(caller: Caller, { header, dataText, timeoutMs, waitMs = 0 }: Asked): void {
    const { name } = caller
    const device = this.#deviceOf(caller)
    const key = keyOf(name, header.id)
    if (this.#asks.has(key)) return
    const length = dataText.length
    if (device.asks >= MAX_ASKS || device.length + length > MAX_LENGTH) {
      this.refuse(caller, header.id, { code: 'too_many', message: 'too many requests wait' })
      return
    }
    const endsMs = this.#now + Math.min(timeoutMs, MAX_TIMEOUT_MS)
    const waitsMs = this.#now + Math.min(waitMs, GRACE_MS)
    const about = { device: name, header, dataText, endsMs, waitsMs }
    const ask: Ask = { ...about, asked: new Set(), failure: undefined }
    this.#asks.set(key, ask)
    device.asks += 1
    device.length += length
    for (const [other, { types }] of this.#devices)
      if (other !== name && types.has(header.type)) this.#ask(ask, other)
    this.#conclude(ask)
  }

  /** Answers that there is no reply. */
  refuse(caller: Caller | undefined, id: string, { code, message }: Failure): void {
    caller?.send(encodeFrame({ frame: 'reply', id, code, message }, ['']))
  }

  /** A device replies. What nobody waits for any more is passed over. */
  reply({ name }: Caller, { device = '', ...frame }: ReplyFrame, data: readonly string[]): void {
    const ask = this.#asks.get(keyOf(device, frame.id))
    if (!ask?.asked.delete(name)) return
    const { code = this.#faultOf(data[0]), message = '' } = frame
    if (code === undefined) {
      this.#end(ask)
      this.#devices.get(device)?.caller?.send(encodeFrame(frame, data))
      return
    }
    if (code !== 'no_responder') ask.failure ??= { code, message }
    this.#conclude(ask)
  }

  #faultOf(text = ''): BusErrorCode | undefined {
    if (isNestedOver(text, this.#context.limits.nesting)) return 'invalid_data'
    return utf8Length(text) > MAX_EVENT_BYTES ? 'too_large' : undefined
  }

  /** Who asked waits no more. */
  cancel({ name }: Caller, id: string): void {
    const ask = this.#asks.get(keyOf(name, id))
    if (ask) this.#end(ask)
  }

  /** Until when nothing is to be done, as far as is known now: who goes out of memory forgets. */
  get dueMs(): number {
    return this.#asks.size > 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }

  /** Due twice a second. */
  tick(nowMs: number): void {
    for (const [name, { caller, goneAtMs }] of this.#devices) {
      if (caller || goneAtMs > nowMs) continue
      for (const ask of [...this.#asks.values()]) {
        if (ask.device === name) this.#end(ask)
        else this.#passedBy(ask, name)
      }
      this.#devices.delete(name)
    }
    for (const ask of [...this.#asks.values()]) {
      if (ask.endsMs <= nowMs) this.#end(ask)
      else this.#conclude(ask)
    }
  }

  get #now(): number {
    return this.#context.platform.monotonic()
  }

  /** One that is away is asked when it is back. */
  #ask(ask: Ask, name: string): void {
    const { header, dataText, endsMs, device } = ask
    const { caller } = this.#devices.get(name) ?? {}
    if (caller && caller.bufferedAmount > this.#context.limits.pauseBytes) return
    ask.asked.add(name)
    const timeoutMs = Math.max(0, endsMs - this.#now)
    caller?.send(encodeFrame({ frame: 'request', events: [header], timeoutMs, device }, [dataText]))
  }

  /** The device will not reply. */
  #passedBy(ask: Ask, name: string): void {
    if (ask.asked.delete(name)) this.#conclude(ask)
  }

  /** Tells who asked where nobody is left who may reply. */
  #conclude(ask: Ask): void {
    if (ask.asked.size > 0 || (!ask.failure && ask.waitsMs > this.#now)) return
    const { type, id } = ask.header
    const nobody = {
      code: 'no_responder',
      message: `nobody in the room responds to ${type}`,
    } as const
    this.#end(ask)
    this.refuse(this.#devices.get(ask.device)?.caller, id, ask.failure ?? nobody)
  }

  /** Forgets it, and tells those who are still at it. */
  #end({ asked, dataText, device: name, header: { id } }: Ask): void {
    if (!this.#asks.delete(keyOf(name, id))) return
    for (const other of asked)
      this.#devices.get(other)?.caller?.send(encodeFrame({ frame: 'cancel', id, device: name }))
    const device = this.#devices.get(name)
    if (!device) return
    device.asks -= 1
    device.length -= dataText.length
  }
}

function keyOf(device: string, id: string): string {
  return `${device} ${id}`
}
