/**
 * Requests from device to device. Each device says what it responds to; whoever asks is given to all
 * others that do, and hears the first reply. In memory only: after a restart devices ask again what
 * they still wait for.
 *
 * ```
 * asked -> every device that responds -> first reply -> who asked, and `cancel` to the others
 *   ^---- again, to a device that came back while it was at it
 * ```
 *
 * Another relay on the same store is asked as one, and asks its devices; it never asks a third.
 */
import {
  type Decoded,
  type EventHeader,
  encodeFrame,
  type Frame,
  MAX_EVENT_BYTES,
  type ReplyFrame,
  type RequestFrame,
  utf8Length,
} from '@crosstown/bus/protocol'
import { isNestedOver } from './guard/nesting.ts'
import type { Limits } from './limits.ts'
import type { Platform } from './platform.ts'
import { type Caller, Responders } from './responders.ts'
import { type Ask, type Failure, keyOf, Waiting } from './waiting.ts'

export type { Caller } from './responders.ts'

/** The other relays of the room, as they are asked. */
export interface OtherRelays {
  /** Whether it is known by now what their devices respond to. */
  readonly complete: boolean
  /** Asks what they have, where that was not done yet. */
  begin(): void
  /** Those that have a device that responds. */
  responding(type: string): Iterable<string>
  send(node: string, frame: Frame, data?: readonly string[]): void
}

export interface RequestsContext {
  readonly limits: Limits
  readonly platform: Platform
  /** Absent where there can be none. */
  readonly others?: OtherRelays | undefined
}

/** What a device asks with: one event, and how long for. */
export interface Asked {
  readonly header: EventHeader
  readonly dataText: string
  readonly timeoutMs: number
  readonly waitMs?: number | undefined
}

/** Nobody waits longer for somebody who responds. */
const MAX_WAIT_MS = 5_000
/** Requests of one device that wait at most, and the characters of them. */
const MAX_ASKS = 1_000
const MAX_LENGTH = 8 * 1024 * 1024
/** Of all devices of other relays. */
const MAX_PASSED = 10_000
/** Nobody waits longer. */
const MAX_TIMEOUT_MS = 10 * 60_000
/** When another relay is asked again that did not answer; then after twice as long, and so on. */
const AGAIN_MS = 2_000

/** The requests of one room. */
export class Requests {
  readonly #context: RequestsContext
  readonly #devices: Responders
  readonly #asks = new Waiting()
  /** Asks of other relays that wait. */
  #passed = 0

  constructor(context: RequestsContext) {
    this.#context = context
    this.#devices = new Responders(context.platform)
  }

  /** Whether somebody here asks or responds. */
  get active(): boolean {
    return this.#devices.size > 0
  }

  /** Its connection ended. */
  left(caller: Caller): void {
    this.#devices.left(caller)
  }

  /**
   * A device says what it responds to: what it was asked, or nobody could be, it is asked now. Returns
   * what of it it may be asked.
   */
  said(caller: Caller, types: readonly string[]): readonly string[] {
    const { name } = caller
    const known = this.#devices.get(name)
    if (types.length === 0 && !known) return types
    const before = known?.types ?? []
    const may = types.filter((type) => caller.mayAnswer(type))
    const device = this.#devices.of(caller)
    this.#devices.put(device, name, may)
    for (const ask of this.#asks.ofTypes([...before, ...device.types])) {
      const responds = device.types.has(ask.header.type) && ask.device !== name
      if (!responds) this.#passedBy(ask, name)
      else if (ask.asked.has(name) || ask.asked.size + ask.nodes.size === 0) this.#ask(ask, name)
    }
    return may
  }

  /** Devices of another relay respond to these types from now on. */
  responds(node: string, types: readonly string[]): void {
    for (const ask of this.#asks.ofTypes(types))
      if (ask.asked.size + ask.nodes.size === 0) this.#askNode(ask, node)
  }

  /** A device asks; again, where it was away. */
  ask(caller: Caller, { header, dataText, timeoutMs, waitMs = 0 }: Asked): void {
    const { name } = caller
    this.#context.others?.begin()
    const device = this.#devices.of(caller)
    const known = this.#asks.get(keyOf(name, header.id))
    if (known && known.from === undefined) return
    const length = dataText.length
    if (device.asks >= MAX_ASKS || device.length + length > MAX_LENGTH) {
      this.refuse(caller, header.id, { code: 'too_many', message: 'too many requests wait' })
      return
    }
    device.asks += 1
    device.length += length
    const endsMs = this.#now + Math.min(timeoutMs, MAX_TIMEOUT_MS)
    const waitsMs = this.#now + Math.min(waitMs, MAX_WAIT_MS)
    // It was connected to another relay before: what it asked there goes on here.
    if (known) {
      this.#moved(known)
      this.#passed -= 1
      Object.assign(known, { from: undefined, endsMs, waitsMs })
    }
    const ask = known ?? this.#begin({ device: name, header, dataText, endsMs, waitsMs })
    this.#askAll(ask)
    this.#conclude(ask)
  }

  /** Another relay says something about a request. */
  passed(node: string, { data, frame }: Decoded<Frame>): void {
    if (frame.frame === 'request') this.#askedBy(node, frame, data[0] as string)
    else if (frame.frame === 'reply') this.#repliedBy(node, frame, data)
    else if (frame.frame === 'cancel') {
      const { device = '', id } = frame
      const ask = this.#asks.get(keyOf(device, id))
      if (ask?.from === node) this.#end(ask)
      else if (ask?.nodes.has(node) && !this.#devices.get(device)?.caller) this.#forget(ask)
    }
  }

  /** Another relay is gone: nobody there replies, or waits. */
  gone(node: string): void {
    for (const ask of this.#asks.all()) {
      if (ask.from === node) this.#end(ask)
      else if (ask.nodes.delete(node)) this.#conclude(ask)
    }
  }

  /** It is known by now what the devices of other relays respond to. */
  settled(): void {
    for (const ask of this.#asks.all()) this.#conclude(ask)
  }

  /** Answers that there is no reply. */
  refuse(caller: Caller | undefined, id: string, { code, message }: Failure): void {
    caller?.send(encodeFrame({ frame: 'reply', id, code, message }, ['']))
  }

  /** A device replies. What nobody waits for any more is passed over. */
  reply({ name }: Caller, { device = '', ...frame }: ReplyFrame, data: readonly string[]): void {
    const ask = this.#asks.get(keyOf(device, frame.id))
    if (!ask) return
    // One that was asked by the relay it was connected to before may reply here.
    const { types } = this.#devices.get(name) ?? {}
    if (!ask.asked.delete(name) && !types?.has(ask.header.type)) return
    this.#replied(ask, frame, data)
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
    for (const name of this.#devices.gone(nowMs)) {
      for (const ask of this.#asks.all()) {
        if (ask.device === name && ask.from === undefined) this.#end(ask)
        else this.#passedBy(ask, name)
      }
    }
    for (const ask of this.#asks.all()) {
      if (ask.endsMs <= nowMs) this.#end(ask)
      else if (ask.nodes.size > 0 && ask.againMs <= nowMs) this.#askAgain(ask)
      else this.#conclude(ask)
    }
  }

  get #now(): number {
    return this.#context.platform.monotonic()
  }

  #begin(about: Pick<Ask, 'device' | 'header' | 'dataText' | 'endsMs' | 'waitsMs' | 'from'>): Ask {
    const ask: Ask = {
      from: undefined,
      ...about,
      asked: new Set(),
      nodes: new Set(),
      tried: new Set(),
      againMs: 0,
      pauseMs: AGAIN_MS,
      failure: undefined,
    }
    this.#asks.add(ask)
    return ask
  }

  /** All who respond and were not asked yet. */
  #askAll(ask: Ask): void {
    const { device, header, tried } = ask
    for (const name of this.#devices.to(header.type))
      if (name !== device && !tried.has(name)) this.#ask(ask, name)
    if (ask.from !== undefined) return
    for (const node of this.#context.others?.responding(header.type) ?? [])
      if (!tried.has(node)) this.#askNode(ask, node)
  }

  /** One that is away is asked when it is back. */
  #ask(ask: Ask, name: string): void {
    const { caller } = this.#devices.get(name) ?? {}
    if (caller && caller.bufferedAmount > this.#context.limits.pauseBytes) return
    ask.asked.add(name)
    ask.tried.add(name)
    caller?.send(encodeFrame(this.#frameOf(ask), [ask.dataText]))
  }

  #askNode(ask: Ask, node: string): void {
    const { others } = this.#context
    if (!others || ask.from !== undefined) return
    if (ask.nodes.size === 0) ask.againMs = this.#now + ask.pauseMs
    ask.nodes.add(node)
    ask.tried.add(node)
    others.send(node, this.#frameOf(ask), [ask.dataText])
  }

  /** The question, or the answer, may have been lost: who is at it passes it over, who is not answers. */
  #askAgain(ask: Ask): void {
    ask.pauseMs *= 2
    ask.againMs = this.#now + ask.pauseMs
    for (const node of ask.nodes) this.#askNode(ask, node)
  }

  #frameOf({ device, endsMs, header }: Ask): RequestFrame {
    const timeoutMs = Math.max(0, endsMs - this.#now)
    return { frame: 'request', events: [header], timeoutMs, device }
  }

  #askedBy(node: string, { device = '', events, timeoutMs }: RequestFrame, dataText: string): void {
    const header = events[0] as EventHeader
    const known = this.#asks.get(keyOf(device, header.id))
    if (known) {
      const isHere = known.from === undefined && this.#devices.get(device)?.caller !== undefined
      if (known.from === node || isHere) return
      // Who asks was here before, or at a third relay: it is answered where it is now.
      this.#moved(known)
      this.#forget(known)
      known.nodes.clear()
      known.from = node
      this.#asks.add(known)
      this.#passed += 1
      this.#conclude(known)
      return
    }
    if (this.#passed >= MAX_PASSED) {
      const why = { code: 'too_many', message: 'too many requests wait' } as const
      this.#tell(node, { frame: 'reply', id: header.id, device, ...why }, [''])
      return
    }
    const now = this.#now
    const endsMs = now + Math.min(timeoutMs, MAX_TIMEOUT_MS)
    this.#passed += 1
    const ask = this.#begin({ device, header, dataText, endsMs, waitsMs: now, from: node })
    this.#askAll(ask)
    this.#conclude(ask)
  }

  #repliedBy(node: string, { device = '', ...frame }: ReplyFrame, data: readonly string[]): void {
    const ask = this.#asks.get(keyOf(device, frame.id))
    if (ask?.nodes.delete(node)) this.#replied(ask, frame, data)
  }

  #replied(ask: Ask, frame: Omit<ReplyFrame, 'device'>, data: readonly string[]): void {
    const { code = this.#faultOf(data[0]), message = '' } = frame
    if (code === undefined) {
      this.#end(ask)
      this.#answer(ask, frame, data)
      return
    }
    if (code !== 'no_responder') ask.failure ??= { code, message }
    this.#conclude(ask)
  }

  #faultOf(text = ''): Failure['code'] | undefined {
    if (isNestedOver(text, this.#context.limits.nesting)) return 'invalid_data'
    return utf8Length(text) > MAX_EVENT_BYTES ? 'too_large' : undefined
  }

  /** The device will not reply. */
  #passedBy(ask: Ask, name: string): void {
    if (ask.asked.delete(name)) this.#conclude(ask)
  }

  /** Tells who asked where nobody is left who may reply. */
  #conclude(ask: Ask): void {
    if (ask.asked.size + ask.nodes.size > 0) return
    if (!ask.failure) {
      this.#askAll(ask)
      if (ask.asked.size + ask.nodes.size > 0) return
      const isKnown = ask.from !== undefined || this.#context.others?.complete !== false
      if (!isKnown || ask.waitsMs > this.#now) return
    }
    const { type, id } = ask.header
    const nobody = {
      code: 'no_responder',
      message: `nobody in the room responds to ${type}`,
    } as const
    this.#end(ask)
    this.#answer(ask, { frame: 'reply', id, ...(ask.failure ?? nobody) }, [''])
  }

  #answer(ask: Ask, frame: Omit<ReplyFrame, 'device'>, data: readonly string[]): void {
    const { device, from } = ask
    if (from !== undefined) this.#tell(from, { ...frame, device }, data)
    else this.#devices.get(device)?.caller?.send(encodeFrame(frame, data))
  }

  #tell(node: string, frame: Frame, data?: readonly string[]): void {
    this.#context.others?.send(node, frame, data)
  }

  /** Forgets it, and tells those who are still at it. */
  #end(ask: Ask): void {
    if (!this.#forget(ask)) return
    const { asked, device, header, nodes } = ask
    const cancel: Frame = { frame: 'cancel', id: header.id, device }
    for (const other of asked) this.#devices.get(other)?.caller?.send(encodeFrame(cancel))
    for (const node of nodes) this.#tell(node, cancel)
  }

  /** Tells the relay that who asks was connected to before: it has nothing to wait for. */
  #moved({ device, from, header: { id } }: Ask): void {
    if (from !== undefined) this.#tell(from, { frame: 'cancel', id, device })
  }

  /** Whether it was there. */
  #forget(ask: Ask): boolean {
    if (!this.#asks.delete(ask)) return false
    const device = this.#devices.get(ask.device)
    if (ask.from !== undefined) this.#passed -= 1
    else if (device) {
      device.asks -= 1
      device.length -= ask.dataText.length
    }
    return true
  }
}
