/**
 * The outbox on its way out: does what `sender.ts` decides. It reads own batches from the log,
 * leaves out what the room has already, and puts the rest into publish frames. What this context
 * just wrote is sent as it was written, where nothing before it waits.
 */
import type { BusError } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import type { TapHolder } from '../inspect/tap.ts'
import type { Log, StoredBatch } from '../log/log.ts'
import type { Platform } from '../platform.ts'
import type { RejectFrame, Term } from '../protocol/frames.ts'
import { encodePublish } from '../protocol/text.ts'
import { OFFLINE_SENDER, type SenderInput, type SenderOutput, stepSender } from './sender.ts'
import type { Written } from './sync.ts'

export interface OutgoingOptions {
  readonly log: Log
  readonly term: Term
  readonly platform: Platform
  readonly taps: TapHolder
  readonly send: (text: string) => void
  readonly failed: (error: unknown) => void
  readonly report: (error: BusError) => void
}

/** What is to be sent of an own batch. */
interface Readied {
  /** As JSON text: `[{...},{...}]`. */
  readonly headers: string
  /** Value texts, a line each. */
  readonly data: string
  /** Which events of the batch; absent for all. */
  readonly indexes?: readonly number[]
}

export class Outgoing {
  readonly #options: OutgoingOptions
  #sender = OFFLINE_SENDER
  /** Counts connections, so that a read begun for an older one is dropped. */
  #round = 0
  #cancelRetry: (() => void) | undefined

  constructor(options: OutgoingOptions) {
    this.#options = options
  }

  /** The connection is welcome: what follows the batch that the relay took last goes out. */
  begin(taken: number | undefined, newest: number): void {
    this.#step({ kind: 'welcomed', taken, newest })
  }

  grew(newest: number, written?: Written): void {
    const record = written?.log === this.#options.log ? written.record : undefined
    // A number committed after the welcome was never sent, so that the room has nothing of it.
    if (!record || record.roomEvents < record.count) this.#step({ kind: 'grew', newest })
    else this.#step({ kind: 'grew', newest, atHand: true }, new Map([[newest, record]]))
  }

  /** A batch of the room is in the log. */
  passed(batch: number): void {
    this.#step({ kind: 'passed', batch })
  }

  acknowledged(batch: number): void {
    this.#step({ kind: 'acknowledged', batch })
  }

  rejected({ batch, code, taken, retryAfterMs }: RejectFrame): void {
    this.#options.taps.tap?.rejected(batch, code)
    this.#step({
      kind: 'rejected',
      batch,
      // A relay that cannot do it now may not know what it has either.
      taken: taken ?? (code === 'out_of_order' ? undefined : 'unknown'),
      retryAfterMs,
    })
  }

  end(): void {
    this.#round += 1
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    this.#step({ kind: 'closed' })
  }

  #step(input: SenderInput, readied: ReadonlyMap<number, Readied> = new Map()): void {
    const [state, outputs] = stepSender(this.#sender, input)
    this.#sender = state
    for (const output of outputs) this.#do(output, readied)
  }

  #do(output: SenderOutput, readied: ReadonlyMap<number, Readied>): void {
    if (output.do === 'send') {
      this.#send(output.batch, output.prev, readied.get(output.batch) as Readied)
    } else if (output.do === 'read') void this.#read(output.from, output.limit)
    else {
      this.#cancelRetry = this.#options.platform.timer(output.ms, () => {
        this.#cancelRetry = undefined
        this.#step({ kind: 'retry' })
      })
    }
  }

  async #read(from: number, limit: number): Promise<void> {
    const { failed, log } = this.#options
    const round = this.#round
    const { newest } = this.#sender
    try {
      const batches = await log.read(from, limit)
      if (round !== this.#round) return
      const last = batches.at(-1)?.batch ?? 0
      const readied = await this.#ready(batches)
      if (round !== this.#round) return
      const outbox = batches.map(({ batch }) => ({ batch, forRoom: readied.has(batch) }))
      // A read that was cut short by its limit says nothing of what comes after its last record.
      const through = batches.length < limit ? Math.max(newest, last) : last
      this.#step({ kind: 'read', from, batches: outbox, through }, readied)
    } catch (error) {
      if (round === this.#round) failed(error)
    }
  }

  /** Those batches of which the room lacks something. */
  async #ready(batches: readonly StoredBatch[]): Promise<ReadonlyMap<number, Readied>> {
    const { log, report } = this.#options
    const readied = new Map<number, Readied>()
    const own = batches.filter((batch) => batch.kind === 'own' && batch.roomEvents > 0)
    const [first, last] = [own[0]?.batch, own.at(-1)?.batch]
    const placements =
      first === undefined || last === undefined ? [] : await log.placements(first, last)
    const settled = new Map(
      placements.map(({ batch, parts }) => [
        batch,
        new Set(
          parts.flatMap(({ indexes, refused }) => [
            ...indexes,
            ...(refused ?? []).map(([index]) => index),
          ]),
        ),
      ]),
    )
    const lost = new Set(placements.flatMap((one) => (one.lost ? [one.batch] : [])))
    for (const batch of batches) {
      if (batch.damaged) report(batch.damaged)
      if (batch.kind !== 'own' || batch.roomEvents === 0) continue
      const done = settled.get(batch.batch)
      const indexes: number[] = []
      batch.headers.forEach((header, index) => {
        if (header.scope !== 'device' && !done?.has(index)) indexes.push(index)
      })
      if (indexes.length === 0) continue
      const headers = lost.has(batch.batch) ? batch.headers.map(unexpecting) : batch.headers
      readied.set(batch.batch, {
        headers: JSON.stringify(indexes.map((index) => headers[index])),
        data: indexes.map((index) => batch.data[index]).join('\n'),
        ...(indexes.length < headers.length && { indexes }),
      })
    }
    return readied
  }

  #send(batch: number, prev: number | undefined, { headers, data, indexes }: Readied): void {
    const { send, taps, term } = this.#options
    const frame = {
      frame: 'publish' as const,
      batch,
      ...(prev === undefined ? undefined : { prev }),
      term,
      ...(indexes && { indexes }),
    }
    // Told before it is done: by when it left, and came, clocks are compared.
    taps.tap?.sent(batch, headers, headers.length + data.length, indexes)
    send(encodePublish(frame, headers, data))
  }
}

/** What the room had taken and lost is not judged a second time: it must not be refused now. */
function unexpecting({ expected: _, ...header }: EventHeader): EventHeader {
  return header
}
