/** The streams of a store: messages put, found and removed, each call one request to JetStream. */
import {
  type ConsumerConfig,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
} from '@nats-io/jetstream'
import { bodyOf, type LogMessage, type Meta, metaOf, nameIn, tokenOf } from './messages.ts'

/** A message as it is kept. */
export interface Kept {
  readonly seq: number
  readonly subject: string
  readonly bytes: Uint8Array
}

/** Parts in flight at once. */
const PARTS_AT_ONCE = 8
/** Messages of a log that are asked for at once. */
const LOG_AT_ONCE = 200
const LOG_WAIT_MS = 5_000
const ABANDONED_NS = 30_000_000_000
const MOST_BYTES = 2 ** 20
const WRONG_SEQUENCES: readonly number[] = [10071, 10164]

export class Journal {
  /** The stream, and what its subjects begin with. */
  readonly stream: string
  /** Bytes of a message at most; what is longer goes in parts. */
  readonly most: number
  readonly #js: JetStreamClient
  readonly #jsm: JetStreamManager
  readonly #isReplicated: boolean

  constructor(
    js: JetStreamClient,
    jsm: JetStreamManager,
    {
      stream,
      payload,
      isReplicated,
    }: { readonly stream: string; readonly payload: number; readonly isReplicated: boolean },
  ) {
    this.stream = stream
    this.most = Math.min(payload, MOST_BYTES) / 2
    this.#js = js
    this.#jsm = jsm
    this.#isReplicated = isReplicated
  }

  /** The stream of what was deleted. */
  get deletions(): string {
    return `${this.stream}_deleted`
  }

  /** The subject of a kind of message of a room, or of one of its logs. */
  subject(kind: string, room: string, epoch?: string): string {
    const of = epoch === undefined ? '' : `.${tokenOf(epoch)}`
    return `${this.stream}.${kind}.${tokenOf(room)}${of}`
  }

  /** Its sequence; `undefined` where the last one on the subject is not the expected one (0: none). */
  async put(
    subject: string,
    payload: string | Uint8Array,
    expected?: number,
  ): Promise<number | undefined> {
    try {
      const expect = expected === undefined ? {} : { expect: { lastSubjectSequence: expected } }
      return (await this.#js.publish(subject, payload, expect)).seq
    } catch (error) {
      if (error instanceof JetStreamApiError && WRONG_SEQUENCES.includes(error.code))
        return undefined
      throw error
    }
  }

  /** The sequences of the messages it takes. */
  async putParts(subject: string, bytes: Uint8Array): Promise<number[]> {
    const parts: Uint8Array[] = []
    for (let at = 0; at < bytes.length; at += this.most)
      parts.push(bytes.subarray(at, at + this.most))
    const sequences: number[] = []
    for (let at = 0; at < parts.length; at += PARTS_AT_ONCE) {
      const some = parts.slice(at, at + PARTS_AT_ONCE)
      sequences.push(
        ...(await Promise.all(some.map((part) => this.put(subject, part)))).map(Number),
      )
    }
    return sequences
  }

  /** The bytes of such parts in one; `undefined` where one of them was removed. */
  async parts(sequences: readonly number[]): Promise<Uint8Array | undefined> {
    const found: Uint8Array[] = []
    for (let at = 0; at < sequences.length; at += PARTS_AT_ONCE) {
      const some = sequences.slice(at, at + PARTS_AT_ONCE)
      const parts = await Promise.all(some.map((seq) => this.at(seq)))
      for (const part of parts) {
        if (!part) return undefined
        found.push(part.bytes)
      }
    }
    return Buffer.concat(found)
  }

  /** The newest message on a subject: of the leader, since a replica may lag behind. */
  async last(subject: string): Promise<Kept | undefined> {
    const asked = { last_by_subj: subject }
    return this.#isReplicated
      ? keptIn(await this.#jsm.streams.getMessage(this.stream, asked))
      : keptIn(await this.#jsm.direct.getMessage(this.stream, asked))
  }

  /** What never changes may come from any replica; one that does not have it yet is not asked twice. */
  async at(seq: number): Promise<Kept | undefined> {
    const found = keptIn(await this.#jsm.direct.getMessage(this.stream, { seq }))
    if (found || !this.#isReplicated) return found
    return keptIn(await this.#jsm.streams.getMessage(this.stream, { seq }))
  }

  /** The first message of the sequence or behind it whose subject fits. */
  async next(filter: string, seq: number, stream: string = this.stream): Promise<Kept | undefined> {
    return keptIn(await this.#jsm.direct.getMessage(stream, { next_by_subj: filter, seq }))
  }

  /** Up to `count` messages on a subject, from the sequence on; fewer where there are fewer now. */
  async from(subject: string, seq: number, count: number): Promise<Kept[]> {
    const config: Partial<ConsumerConfig> = {
      ack_policy: 'none',
      deliver_policy: 'by_start_sequence',
      opt_start_seq: seq,
      filter_subject: subject,
      inactive_threshold: ABANDONED_NS,
      mem_storage: true,
      num_replicas: 1,
    }
    const info = await this.#jsm.consumers.add(this.stream, config)
    const consumer = this.#js.consumers.getConsumerFromInfo(info)
    const found: Kept[] = []
    try {
      for (let left = Math.min(count, info.num_pending); left > 0; ) {
        const some = Math.min(left, LOG_AT_ONCE)
        const page = await consumer.fetch({ max_messages: some, expires: LOG_WAIT_MS })
        let got = 0
        for await (const { seq, subject, data } of page) {
          found.push({ seq, subject, bytes: data })
          got += 1
        }
        if (got < some) break
        left -= got
      }
    } finally {
      // One that nobody asks is removed after a while in any case.
      await consumer.delete().catch(() => {})
    }
    return found
  }

  /** Removes the messages on a subject below the sequence, or all. */
  async purge(filter: string, below?: number): Promise<number> {
    if (below !== undefined && below <= 1) return 0
    const seq = below === undefined ? {} : { seq: below }
    return (await this.#jsm.streams.purge(this.stream, { filter, ...seq })).purged
  }

  /** Removes one message; no matter whether it is there. */
  async remove(seq: number): Promise<void> {
    try {
      await this.#jsm.streams.deleteMessage(this.stream, seq, false)
    } catch (error) {
      if (!(error instanceof JetStreamApiError)) throw error
    }
  }

  /** The names of rooms in the subjects of a kind. */
  async rooms(kind: string): Promise<string[]> {
    const filter = `${this.stream}.${kind}.>`
    const { state } = await this.#jsm.streams.info(this.stream, { subjects_filter: filter })
    return Object.keys(state.subjects ?? {}).map((subject) => nameIn(subject.split('.')[2] ?? ''))
  }

  /** Whether a room has a log. */
  async isAlive(room: string): Promise<boolean> {
    const last = await this.last(this.subject('log', room))
    return last !== undefined && metaIn(last).meta.kind !== 'end'
  }

  /** The whole message; `undefined` where parts of it were removed. */
  async message(kept: Kept): Promise<LogMessage | undefined> {
    const { meta, rest } = metaIn(kept)
    const { parts } = meta
    const bytes = parts && (await this.parts(parts))
    if (parts && !bytes) return undefined
    const text = bytes ? Buffer.from(bytes).toString() : rest
    return { seq: kept.seq, meta, body: bodyOf(meta.kind, text) }
  }
}

export function metaIn({ bytes }: Kept): { readonly meta: Meta; readonly rest: string } {
  return metaOf(textIn(bytes))
}

export function textIn(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}

function keptIn(
  message: { readonly seq: number; readonly subject: string; readonly data: Uint8Array } | null,
): Kept | undefined {
  return message === null
    ? undefined
    : { seq: message.seq, subject: message.subject, bytes: message.data }
}
