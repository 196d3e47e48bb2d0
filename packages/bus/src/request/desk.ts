/**
 * What this context asks and answers. A request goes to one context of each device that is known to
 * respond, by presence; for the room whoever leads gives it to the relay, and asks within the device
 * what the relay asks it:
 *
 *   request ──► Asking ──tabs, links──► Answering of others ──► reply
 *                  └──► leader ──► relay ──► leader of another device ──► Asking ──► ...
 */
import { BusError } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import type { Platform } from '../platform.ts'
import type { CancelFrame, ReplyFrame, RequestFrame } from '../protocol/frames.ts'
import type { RequestsFrame } from '../sync/sync.ts'
import type { EventOptions } from '../types.ts'
import { Answering, type AnsweringOptions } from './answering.ts'
import { Asking, type AskingOptions } from './asking.ts'
import { Passing } from './passing.ts'
import type { RequestOptions } from './request.ts'
import {
  type Answer,
  type Question,
  type RequestEvents,
  type Requests,
  SETTLE_MS,
} from './requests.ts'
import { abortedError, refusalOf, TIMEOUT_MS, type Waiting } from './waiting.ts'

export interface DeskOptions extends Omit<AnsweringOptions, 'timer'> {
  readonly prefix: string
  readonly source: string
  readonly platform: Platform
  readonly decode: (
    text: string,
    encoding: 'devalue' | undefined,
    about: { type: string; id: string },
  ) => unknown
  /** Validates against the type's schema; a promise only where the schema is asynchronous. */
  readonly validate: ((type: string, data: unknown) => unknown) | undefined
  /** Makes the event, which no log keeps. @throws {BusError} as `publish` */
  readonly compose: (type: string, data: unknown, options: EventOptions) => Question
  /** Whether nobody else can be heard at all. */
  readonly alone: boolean
  readonly report: (error: BusError) => void
}

/** Requests of one context that wait, and those that it passes on, at most. */
const MAX_WAITING = 1_000
/** After which whoever was asked, and has not replied, is asked again: any way may lose something. */
const AGAIN_MS = 2_000
/** Asks who leads for a sign of life of the relay. */
const PING = '$ping'

export class Desk implements Omit<Requests, 'respond'> {
  readonly #options: DeskOptions
  readonly #events: RequestEvents
  readonly #answering: Answering
  readonly #passing: Passing
  readonly #asks = new Map<string, Asking>()
  #settled: boolean
  #cancelSettle: (() => void) | undefined
  #cancelAgain: (() => void) | undefined
  #pings = 0
  #closed = false

  constructor(options: DeskOptions, events: RequestEvents) {
    const { platform, alone, report } = options
    this.#options = options
    this.#events = events
    this.#settled = alone
    const timer = (ms: number, run: () => void) => platform.timer(ms, run)
    this.#answering = new Answering({ ...options, timer, report })
    this.#passing = new Passing(platform, events, MAX_WAITING)
  }

  /** The time that it may take begins at `began`: now, or when it was loaded for it. */
  async request(
    type: string,
    given: unknown,
    options: RequestOptions,
    began?: number,
  ): Promise<unknown> {
    const { compose, decode, prefix, validate } = this.#options
    const { hasRelay, isGuest } = this.#events
    const { scope = 'room', timeout, signal, ...said } = options
    const validated = validate ? validate(type, given) : given
    const data = validated instanceof Promise ? await validated : validated
    const question = compose(type, data, { ...said, scope })
    const reach = scope === 'room' && !hasRelay && !isGuest ? 'device' : scope
    const isFor: AskingOptions['isFor'] = ({ id, responds }) =>
      responds.includes(type) && (scope !== 'context' || id === prefix)
    const answer = await this.#wait(question, { reach, isFor }, { timeout, signal }, began)
    return decode(answer.text, answer.encoding, { type, id: question.header.id })
  }

  async ping(options: Waiting, began?: number): Promise<number> {
    const { prefix, platform, source } = this.#options
    const id = `${prefix}-ping-${++this.#pings}`
    const header: EventHeader = { id, type: PING, source, time: platform.now() }
    const isFor: AskingOptions['isFor'] = ({ leader }) => leader
    const how = { reach: 'own', isFor, patient: true } as const
    const { text } = await this.#wait({ header, dataText: '' }, how, options, began)
    return Number(text)
  }

  #wait(
    question: Question,
    how: Pick<AskingOptions, 'reach' | 'isFor' | 'patient'>,
    { timeout = TIMEOUT_MS, signal }: Waiting,
    began = this.#options.platform.monotonic(),
  ): Promise<Extract<Answer, { text: string }>> {
    const { platform } = this.#options
    const { type, id: key } = question.header
    const refusal = refusalOf(type, this.#closed, { timeout, signal })
    if (refusal) return Promise.reject(refusal)
    if (this.#asks.size >= MAX_WAITING) {
      const what = `${MAX_WAITING} requests wait for their replies already`
      const about = { stage: 'request', eventType: type } as const
      return Promise.reject(new BusError('too_many', what, about))
    }
    const left = Math.max(0, began + timeout - platform.monotonic())
    return new Promise((resolve, reject) => {
      const release = platform.hold()
      const late = (): void => {
        const what = `no reply to ${type} within ${timeout} ms: waited for ${asking.waitsFor}`
        asking.end({ code: 'timeout', message: what })
      }
      const abort = (): void => asking.end({ code: 'aborted', message: '' })
      const cancel = platform.timer(left, late)
      signal?.addEventListener('abort', abort, { once: true })
      const done = (answer: Answer): void => {
        cancel()
        release()
        signal?.removeEventListener('abort', abort)
        if ('text' in answer) resolve(answer)
        else if (answer.code === 'aborted' && signal?.aborted) reject(abortedError(type, signal))
        else reject(errorOf(type, answer))
      }
      const asking = this.#make(key, question, { ...how, done }, left)
      this.#review(asking)
    })
  }

  #make(
    key: string,
    question: Question,
    how: Pick<AskingOptions, 'reach' | 'isFor' | 'patient' | 'done'>,
    timeoutMs: number,
  ): Asking {
    const asking: Asking = new Asking({
      ...how,
      key,
      question,
      endsAt: this.#options.platform.monotonic() + timeoutMs,
      hasRelay: this.#events.hasRelay,
      ask: (one, to) => this.#ask(one, to),
      askRoom: (one, leader) => this.#ask(one, leader, true),
      done: (answer) => {
        this.#over(key)
        if (asking.isOut) this.#waive(key)
        how.done(answer)
      },
    })
    this.#asks.set(key, asking)
    this.#cancelAgain ??= this.#options.platform.timer(AGAIN_MS, () => this.#again())
    return asking
  }

  #again(): void {
    this.#cancelAgain = undefined
    for (const asking of [...this.#asks.values()]) asking.again()
    if (this.#asks.size > 0)
      this.#cancelAgain = this.#options.platform.timer(AGAIN_MS, () => this.#again())
  }

  #over(key: string): void {
    this.#asks.delete(key)
    if (this.#asks.size > 0) return
    this.#cancelAgain?.()
    this.#cancelAgain = undefined
  }

  #waive(key: string): void {
    const from = this.#options.prefix
    this.#answering.giveUp(key)
    this.#passing.waived(key, from)
    this.#events.post({ frame: 'cancel', key, from })
  }

  #ask(asking: Asking, to: string, room?: true): void {
    const { platform, prefix } = this.#options
    const { key, question, endsAt } = asking.options
    const { header, dataText } = question
    const timeoutMs = Math.max(0, endsAt - platform.monotonic())
    const asked = { key, from: prefix, to, timeoutMs, events: [header] }
    const frame = { frame: 'request', ...asked, ...(room && { room }) } as const
    if (to === prefix) this.#asked({ ...frame, log: '' }, dataText)
    else this.#events.post(frame, [dataText])
  }

  /** This context is asked, for itself or for the room. */
  #asked(frame: Extract<RequestsFrame, { frame: 'request' }>, dataText: string): void {
    const { prefix } = this.#options
    const { key, from, timeoutMs, room } = frame
    const header = frame.events[0] as EventHeader
    const question = { header, dataText }
    const self = from === prefix
    const answer = (answer: Answer): void => {
      if (self) this.#answered(key, prefix, answer, room)
      else {
        const reply = { frame: 'reply', key, from: prefix, ...(room && { room }) } as const
        const [said, lines] = linesOf(answer)
        this.#events.post({ ...reply, ...said }, lines)
      }
    }
    if (room && !this.#events.hasRelay) answer({ code: 'no_responder', message: '' })
    else if (room) this.#passing.take(question, from, timeoutMs, answer)
    else if (header.type === PING) this.#ping(answer)
    else {
      const origin = key.includes('/') ? 'room' : self ? 'self' : 'device'
      this.#answering.take(key, question, from, origin, timeoutMs, answer)
    }
  }

  #ping(answer: (answer: Answer) => void): void {
    this.#events.ping().then(
      (ms) => answer({ text: String(ms) }),
      ({ code, message }: BusError) => answer({ code, message }),
    )
  }

  #answered(key: string, from: string, answer: Answer, room?: true): void {
    const asking = this.#asks.get(key)
    if (room) asking?.roomAnswered(answer)
    else asking?.answered(from, answer)
    if (asking && this.#asks.has(key)) this.#review(asking)
  }

  #review(asking: Asking, contexts = this.#events.contexts()): void {
    if (asking.options.reach === 'room') {
      const refused = this.#events.refused()
      if (refused) asking.roomAnswered(refused)
    }
    asking.review(contexts, this.#settled)
  }

  attached(alone: boolean): void {
    if (alone) this.#settle()
    else if (!this.#settled)
      this.#cancelSettle ??= this.#options.platform.timer(SETTLE_MS, () => this.#settle())
  }

  #settle(): void {
    this.#cancelSettle?.()
    this.#settled = true
    this.review()
  }

  review(): void {
    const leads = this.#events.leads()
    if (!leads) this.#step()
    if (this.#asks.size + this.#answering.size + this.#passing.size === 0) return
    const contexts = this.#events.contexts()
    const there = new Set(contexts.map(({ id }) => id))
    for (const asking of [...this.#asks.values()]) this.#review(asking, contexts)
    this.#answering.review((id) => there.has(id))
    this.#passing.review((id) => there.has(id))
  }

  /** Whoever leads now gets from the relay what it asks, and from the others what they ask the room. */
  #step(): void {
    this.#passing.clear()
    for (const key of this.#asks.keys()) if (key.includes('/')) this.#over(key)
  }

  heard(frame: RequestsFrame, data: readonly string[]): void {
    if (this.#closed) return
    const { key } = frame
    if (frame.frame === 'cancel') {
      this.#answering.giveUp(key)
      this.#passing.waived(key, frame.from)
    } else if (frame.frame === 'reply') {
      this.#answered(key, frame.from, answerOf(frame, data), frame.room)
    } else if (frame.to === this.#options.prefix && (!frame.room || this.#events.leads())) {
      this.#asked(frame, data[0] as string)
    }
  }

  told(frame: RequestFrame | ReplyFrame | CancelFrame, data: readonly string[]): void {
    if (frame.frame === 'reply') this.#passing.answered(frame.id, answerOf(frame, data))
    else if (frame.frame === 'request') this.#passOn(frame, data[0] as string)
    else this.#asks.get(`${frame.device}/${frame.id}`)?.end({ code: 'aborted', message: '' })
  }

  /** Another device asks this one, through the relay. */
  #passOn({ events, device = '', timeoutMs }: RequestFrame, dataText: string): void {
    const header = events[0] as EventHeader
    const { id, type } = header
    const key = `${device}/${id}`
    if (this.#asks.has(key)) return
    const done = (answer: Answer): void => {
      cancel()
      if ('code' in answer && answer.code === 'aborted') return
      // While the relay is away it goes nowhere: it asks again when it is back.
      const [said, lines] = linesOf(answer)
      this.#events.send({ frame: 'reply', id, device, ...said }, lines)
    }
    const late = (): void => asking.end({ code: 'timeout', message: `no reply to ${type} in time` })
    const cancel = this.#options.platform.timer(timeoutMs, late)
    if (this.#asks.size >= MAX_WAITING) {
      done({ code: 'too_many', message: `${MAX_WAITING} requests wait at a device` })
      return
    }
    const isFor: AskingOptions['isFor'] = ({ responds }) => responds.includes(type)
    const asking = this.#make(key, { header, dataText }, { reach: 'own', isFor, done }, timeoutMs)
    this.#review(asking)
  }

  online(online: boolean): void {
    this.#passing.online(online)
    this.review()
  }

  close(): void {
    this.#closed = true
    this.#cancelSettle?.()
    // Whoever leads next is asked what the relay asked this context.
    this.#step()
    for (const asking of [...this.#asks.values()])
      asking.end({ code: 'closed', message: 'the bus was closed' })
    this.#answering.close()
    this.#passing.clear()
  }
}

/** An answer as fields of a frame, and its lines. */
function linesOf(
  answer: Answer,
): [Pick<ReplyFrame, 'code' | 'message' | 'encoding'>, readonly string[]] {
  if (!('text' in answer)) return [{ code: answer.code, message: answer.message }, ['']]
  const { text, encoding } = answer
  return [encoding ? { encoding } : {}, [text]]
}

function answerOf(
  frame: Pick<ReplyFrame, 'code' | 'message' | 'encoding'>,
  data: readonly string[],
): Answer {
  const { code, message = '', encoding } = frame
  return code === undefined ? { text: data[0] as string, encoding } : { code, message }
}

function errorOf(
  type: string,
  { code, message }: { readonly code: BusError['code']; readonly message: string },
): BusError {
  const what = code === 'responder_failed' ? `who responds to ${type} failed: ${message}` : message
  return new BusError(code, what || `the request of ${type} failed: ${code}`, {
    stage: 'request',
    eventType: type,
  })
}
