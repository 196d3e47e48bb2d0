/**
 * What one device publishes over its connection: batches, each of which gets its answer in turn, and
 * casts, which get none.
 */
import {
  type AckFrame,
  BusError,
  type BusErrorCode,
  type CastFrame,
  type EventHeader,
  encodeFrame,
  isBusError,
  type PublishFrame,
  type RejectFrame,
  type RequestFrame,
} from '@crosstown/bus/protocol'
import type { Identity } from '../auth.ts'
import type { Member } from '../delivery.ts'
import { InOrder } from '../guard/in-order.ts'
import { Permits } from '../guard/permits.ts'
import { faultOf, linesOf } from '../judge.ts'
import type { Caller } from '../requests.ts'
import type { RoomHost } from '../room-host.ts'
import type { ConnectionContext } from './context.ts'

/** A connection, as one that publishes. */
export interface Publisher extends Member, Caller {
  /** Whose token it has now. */
  readonly identity: Identity | undefined
  /** What was thrown ends it. */
  failWith(error: unknown): void
}

/** The data of a frame's events, a text each, and the bytes of the whole frame. */
interface Body {
  readonly data: readonly string[]
  readonly bytes: number
}

/** A device has 16 batches under way: who goes on without any answer does not wait for one. */
const MAX_HELD = 1_000
/** When a batch may come again that could not be judged. */
const RETRY_AFTER_MS = 1_000

/** What a connection that was welcomed publishes. */
export class Publishing {
  readonly #context: ConnectionContext
  readonly #publisher: Publisher
  readonly #host: RoomHost
  readonly #mayPublish: (type: string) => boolean
  readonly #permits: Permits
  readonly #answers = new InOrder()

  /** @param patterns what the token may publish */
  constructor(
    context: ConnectionContext,
    publisher: Publisher,
    host: RoomHost,
    patterns: readonly string[],
  ) {
    this.#context = context
    this.#publisher = publisher
    this.#host = host
    this.#mayPublish = host.publishRights(patterns)
    this.#permits = new Permits(context, host.room)
  }

  /** Whether a batch was not answered yet. */
  get pending(): boolean {
    return this.#answers.pending
  }

  /** @throws {BusError} bad_frame, rate_limited */
  publish(frame: PublishFrame, { data, bytes }: Body): void {
    if (frame.indexes?.some((index, i, all) => i > 0 && index <= (all[i - 1] as number))) {
      throw new BusError('bad_frame', 'publish: indexes must ascend')
    }
    const { device, name } = this.#publisher
    const lines = linesOf(frame.events)
    this.#host.inspection.tap?.received(name, { frame, lines, data })
    const inTurn = this.#ask()
    this.#authorized(
      frame,
      bytes,
      (mayPublish) =>
        this.#host.publish({ device, mayPublish, frame, lines, data }, bytes, (reply) => {
          if ('frame' in reply) this.#answer(inTurn, reply)
        }),
      ({ code }, retryAfterMs) => this.#reject(frame, inTurn, { code, retryAfterMs }),
    )
  }

  /** Too much came: the batch is to come again. @throws {BusError} rate_limited */
  holdOff(frame: PublishFrame, retryAfterMs: number): void {
    this.#reject(frame, this.#ask(), { code: 'rate_limited', retryAfterMs })
  }

  /** Best effort: what may not go out is left out, as nobody waits for it. */
  cast(frame: CastFrame, { data, bytes }: Body): void {
    const lines = linesOf(frame.events)
    const { nesting } = this.#context.limits
    const go = (mayPublish: (type: string) => boolean): void => {
      const fits = frame.events.map(
        (header, i) =>
          faultOf(header, lines[i] as string, data[i] as string, mayPublish, nesting) === undefined,
      )
      if (!fits.includes(true)) return
      this.#host.cast(
        this.#publisher,
        frame.events.filter((_, i) => fits[i]),
        data.filter((_, i) => fits[i]),
      )
    }
    this.#authorized(frame, bytes, go, () => {})
  }

  /** A request that may not go out is answered at once. */
  request({ events, timeoutMs, waitMs }: RequestFrame, { data, bytes }: Body): void {
    const header = events[0] as EventHeader
    const dataText = data[0] as string
    const { nesting } = this.#context.limits
    const { requests } = this.#host
    const refuse = (code: BusErrorCode): void =>
      requests.refuse(this.#publisher, header.id, { code, message: `${header.type}: ${code}` })
    const go = (mayPublish: (type: string) => boolean): void => {
      const [line] = linesOf(events)
      const fault = faultOf(header, line as string, dataText, mayPublish, nesting)
      if (fault) refuse(fault)
      else requests.ask(this.#publisher, { header, dataText, timeoutMs, waitMs })
    }
    this.#authorized({ events }, bytes, go, ({ code }) => refuse(code))
  }

  /** Too much came: nobody is asked. */
  refuse({ events: [header] }: RequestFrame): void {
    const why = { code: 'rate_limited', message: 'too much came in a short time' } as const
    this.#host.requests.refuse(this.#publisher, (header as EventHeader).id, why)
  }

  /** Goes on with what token and hook allow of a frame's events; nothing thrown there leaves it. */
  #authorized(
    { events }: Pick<CastFrame, 'events'>,
    bytes: number,
    go: (mayPublish: (type: string) => boolean) => void,
    refuse: (error: BusError, retryAfterMs: number) => void,
  ): void {
    const publisher = this.#publisher
    this.#permits.ask({
      identity: publisher.identity as Identity,
      headers: events,
      bytes,
      mayPublish: this.#mayPublish,
      go: (mayPublish) => {
        if (publisher.closed) return
        try {
          go(mayPublish)
        } catch (error) {
          publisher.failWith(error)
        }
      },
      failed: (error) => {
        if (!publisher.closed && isBusError(error)) refuse(error, RETRY_AFTER_MS)
      },
    })
  }

  #ask(): (send: () => void) => void {
    if (this.#answers.held >= MAX_HELD)
      throw new BusError('rate_limited', 'too many batches without waiting for their answers')
    return this.#answers.ask()
  }

  #reject(
    frame: PublishFrame,
    inTurn: (send: () => void) => void,
    why: Pick<RejectFrame, 'code' | 'retryAfterMs'>,
  ): void {
    this.#host.inspection.tap?.rejected(this.#publisher.name, frame, why.code)
    this.#context.meter.count('reply_errors_total', 1, why.code)
    this.#answer(inTurn, { frame: 'reject', batch: frame.batch, ...why })
  }

  #answer(inTurn: (send: () => void) => void, answer: AckFrame | RejectFrame): void {
    // Behind an ack comes the stream, with where its events are.
    inTurn(() => this.#publisher.send(encodeFrame(answer), true))
  }
}
