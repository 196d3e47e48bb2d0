/**
 * What this context responds to, and the way to its desk: who asks and answers is loaded by the first
 * question, and hears then what was said before.
 */
import { BusError } from '../errors.ts'
import { type Part, type Waiter, whenLoaded } from '../part.ts'
import { MAX_RESPONDS } from '../protocol/presence.ts'
import type { Desk, DeskOptions } from './desk.ts'
import { type RequestEvents, type Requests, type Responder, SETTLE_MS } from './requests.ts'
import { abortedError, closedError, refusalOf, TIMEOUT_MS, type Waiting } from './waiting.ts'

export type FrontDeskOptions = Omit<DeskOptions, 'responders'> &
  Waiter & { readonly part: Part<{ readonly Desk: typeof Desk }> }

/** Kept for a desk that is not there yet. */
const MAX_EARLY = 1_000

export class FrontDesk implements Requests {
  readonly #options: FrontDeskOptions
  readonly #events: RequestEvents
  readonly #responders = new Map<string, Responder>()
  /** What ends those that wait for the desk. */
  readonly #waiting = new Set<(error: BusError) => void>()
  #desk: Desk | undefined
  /** What is said while it is loaded. */
  #early: ((desk: Desk) => void)[] | undefined
  /** When the others could be heard. */
  #attachedAt: number | undefined
  #online = false
  #closed = false

  constructor(options: FrontDeskOptions, events: RequestEvents) {
    this.#options = options
    this.#events = events
    if (options.part.now) this.#made(options.part.now)
  }

  respond(type: string, responder: Responder): () => void {
    if (this.#closed) throw refused('closed', 'the bus was closed', type)
    if (typeof responder !== 'function') throw refused('invalid_options', 'give a function', type)
    if (this.#responders.has(type))
      throw refused('invalid_options', 'this bus responds to it already', type)
    if (this.#responders.size >= MAX_RESPONDS)
      throw refused('too_many', `a bus responds to ${MAX_RESPONDS} types`, type)
    this.#responders.set(type, responder)
    this.#tell()
    // Before the first question is there.
    this.#say(() => {})
    return () => {
      if (this.#responders.get(type) === responder) this.#responders.delete(type)
      if (!this.#closed) this.#tell()
    }
  }

  #tell(): void {
    this.#events.responds([...this.#responders.keys()])
  }

  async request(
    type: string,
    given: unknown,
    options: Parameters<Requests['request']>[2],
  ): Promise<unknown> {
    if (this.#options.part.now)
      return this.#made(this.#options.part.now).request(type, given, options)
    // As it is now: it may be changed while the desk is loaded.
    const { encode, decode } = this.#options
    const { text, encoding } = encode(given, type)
    return this.#load(type, options, (desk, began) =>
      desk.request(type, decode(text, encoding, { type, id: 'a copy' }), options, began),
    )
  }

  async ping(options: Parameters<Requests['ping']>[0]): Promise<number> {
    const { now } = this.#options.part
    if (now) return this.#made(now).ping(options)
    return this.#load('$ping', options, (desk, began) => desk.ping(options, began))
  }

  /** Asks the desk once it is there: it is waited for no longer than for a reply. */
  #load<Reply>(
    type: string,
    options: Waiting,
    ask: (desk: Desk, began: number) => Promise<Reply>,
  ): Promise<Reply> {
    const { part, platform } = this.#options
    const { timeout = TIMEOUT_MS, signal } = options
    const refusal = refusalOf(type, this.#closed, options)
    if (refusal) return Promise.reject(refusal)
    const began = platform.monotonic()
    return new Promise((resolve, reject) => {
      const end = (error: BusError): void => {
        done()
        reject(error)
      }
      const late = (): void => {
        const what = `no reply to ${type} within ${timeout} ms: waited for what asks it to be loaded`
        end(new BusError('timeout', what, { stage: 'request', eventType: type }))
      }
      const abort = (): void => end(abortedError(type, signal as AbortSignal))
      const cancel = platform.timer(timeout, late)
      const done = (): boolean => {
        cancel()
        signal?.removeEventListener('abort', abort)
        return this.#waiting.delete(end)
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiting.add(end)
      part.load().then((made) => {
        const desk = this.#made(made)
        if (done()) resolve(ask(desk, began))
      }, end)
    })
  }

  #made({ Desk: Made }: { readonly Desk: typeof Desk }): Desk {
    if (this.#desk) return this.#desk
    const desk = new Made({ ...this.#options, responders: this.#responders }, this.#events)
    this.#desk = desk
    const at = this.#attachedAt
    if (at !== undefined) desk.attached(this.#options.platform.monotonic() - at >= SETTLE_MS)
    if (this.#online) desk.online(true)
    for (const say of this.#early ?? []) say(desk)
    this.#early = undefined
    if (this.#closed) desk.close()
    return desk
  }

  /** To the desk; loads it, where it is not there. */
  #say(say: (desk: Desk) => void): void {
    if (this.#desk) say(this.#desk)
    else if (!this.#early) {
      this.#early = [say]
      whenLoaded(this.#options.part, this.#options, (made) => void this.#made(made))
    } else if (this.#early.length < MAX_EARLY) this.#early.push(say)
  }

  attached(alone: boolean): void {
    this.#attachedAt ??= alone ? Number.NEGATIVE_INFINITY : this.#options.platform.monotonic()
    this.#desk?.attached(alone)
  }

  review(): void {
    this.#desk?.review()
  }

  heard(...said: Parameters<Requests['heard']>): void {
    const [frame] = said
    const isMine = frame.frame === 'request' && frame.to === this.#options.prefix
    if (this.#desk || this.#early || isMine) this.#say((desk) => desk.heard(...said))
  }

  told(...said: Parameters<Requests['told']>): void {
    this.#say((desk) => desk.told(...said))
  }

  online(online: boolean): void {
    this.#online = online
    this.#desk?.online(online)
  }

  close(): void {
    this.#closed = true
    this.#responders.clear()
    for (const end of this.#waiting) end(closedError())
    this.#desk?.close()
  }
}

function refused(
  code: 'closed' | 'invalid_options' | 'too_many',
  what: string,
  eventType: string,
): BusError {
  return new BusError(code, `respond to ${eventType}: ${what}`, { stage: 'request', eventType })
}
