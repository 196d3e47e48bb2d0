/** One room as this relay knows it: its view, brought up to date by what others wrote, and added to. */
import { BusError } from '@crosstown/bus/protocol'
import type { RoomHead } from '../../record.ts'
import type { Bodies } from './bodies.ts'
import { type Journal, type Kept, metaIn } from './journal.ts'
import { type Body, bodyText, type LogMessage, type Meta, messageText } from './messages.ts'
import {
  NO_SNAPSHOT,
  newestSnapshot,
  readSnapshot,
  removeSnapshots,
  type Snapshot,
  takeSnapshot,
} from './snapshots.ts'
import { RoomView } from './view.ts'

/** What a room was behind by more than so many messages is read by a consumer, else one by one. */
const FEW = 16
/** Lost races for one write, and readings that others removed something under. */
const TRIES = 20
/** Messages behind a snapshot at most, and how much of it each of them may cost. */
const LEAST_TAIL = 256
const BYTES_A_MESSAGE = 1_024
/** Trimmed messages that are kept until the next snapshot. */
const SPENT = 1_024

export class Room {
  readonly name: string
  readonly #bodies: Bodies
  readonly #newId: () => string
  #view: RoomView | undefined
  /** Where there is no log: the sequence of the last message on the subject, or 0. */
  #ended = 0
  #snapshot: Snapshot = NO_SNAPSHOT
  #isSnapping = false
  #last: Promise<unknown> = Promise.resolve()
  #refreshing: Promise<RoomView | undefined> | undefined
  #users = 0
  #isSure = false

  constructor(name: string, bodies: Bodies, newId: () => string) {
    this.name = name
    this.#bodies = bodies
    this.#newId = newId
  }

  get isUsed(): boolean {
    return this.#users > 0
  }

  get weight(): number {
    return 1 + (this.#view?.weight ?? 0)
  }

  /** Whether nothing but a write of another relay can have changed it since it was seen. */
  get isSure(): boolean {
    return this.#isSure
  }

  /** The server is another one, or was restored from a backup, for all that is known. */
  doubt(): void {
    this.#isSure = false
  }

  /** The room as it is now; those who ask before it is answered are answered together. */
  current(journal: Journal): Promise<RoomView | undefined> {
    this.#refreshing ??= this.locked(() => {
      this.#refreshing = undefined
      return this.refresh(journal)
    })
    return this.#refreshing
  }

  /** One at a time, in the order of their calls. */
  async locked<T>(run: () => Promise<T>): Promise<T> {
    const running = this.#last.then(run)
    this.#last = running.catch(() => {})
    this.#users += 1
    try {
      return await running
    } finally {
      this.#users -= 1
    }
  }

  /** As it was when last seen; only with the lock. */
  get view(): RoomView | undefined {
    return this.#view
  }

  /** Only with the lock. */
  async refresh(journal: Journal): Promise<RoomView | undefined> {
    const view = await this.#refresh(journal)
    this.#isSure = true
    return view
  }

  async #refresh(journal: Journal): Promise<RoomView | undefined> {
    for (let tries = 0; tries < TRIES; tries++) {
      const last = await journal.last(journal.subject('log', this.name))
      const meta = last && metaIn(last).meta
      if (!meta || meta.kind === 'end') {
        this.#view = undefined
        this.#ended = last?.seq ?? 0
        return undefined
      }
      const view = this.#view
      const same = view?.head.epoch === meta.head.epoch && view.start === meta.start
      if (same && view.id === meta.id) return view
      if (same && view.number < meta.number && (await this.#follow(journal, view, last, meta)))
        return view
      this.#view = undefined
      const loaded = await readSnapshot(journal, this.name, meta.head.epoch)
      if (loaded === 'removed') continue
      const fresh = loaded?.view ?? new RoomView(meta.start, meta.head)
      this.#snapshot = loaded?.snapshot ?? NO_SNAPSHOT
      // A snapshot of a moment ago may be newer than the message that was asked for before it.
      if (fresh.number >= meta.number || (await this.#follow(journal, fresh, last, meta))) {
        this.#view = fresh
        return fresh
      }
    }
    throw new BusError('unavailable', 'other processes changed this room again and again')
  }

  /**
   * Writes behind what the view has. `undefined` where another relay was first: the view has that then.
   *
   * Parts are put again for each try: those of one that failed may be removed.
   */
  async write(journal: Journal, body: Body, head: RoomHead): Promise<LogMessage | undefined> {
    const view = this.#view
    const start = view?.start ?? this.#ended
    const before = view?.seq ?? this.#ended
    const beforeId = view?.id ?? ''
    const number = (view?.number ?? 0) + 1
    const meta: Meta = { id: this.#newId(), kind: body.kind, start, before, beforeId, number, head }
    const text = bodyText(body)
    let payload = messageText(meta, text)
    let parted = meta
    if (Buffer.byteLength(payload) > journal.most) {
      const subject = journal.subject('part', this.name, head.epoch)
      parted = { ...meta, parts: await journal.putParts(subject, Buffer.from(text)) }
      payload = messageText(parted, '')
    }
    const seq = await journal.put(journal.subject('log', this.name), payload, before)
    if (seq === undefined) {
      await this.refresh(journal)
      return undefined
    }
    const message = { seq, meta: parted, body }
    if (body.kind === 'end') {
      this.#view = undefined
      this.#ended = seq
      return message
    }
    this.#view ??= new RoomView(start, head)
    if (!view) this.#snapshot = NO_SNAPSHOT
    this.#view.take(message)
    this.#bodies.keep(message)
    return message
  }

  /** Whether so much was written since the last snapshot that another one pays. */
  get wantsSnapshot(): boolean {
    const { number = 0, spent = 0 } = this.#view ?? {}
    const tail = number - this.#snapshot.number
    const most = Math.max(LEAST_TAIL, this.#snapshot.bytes / BYTES_A_MESSAGE)
    return !this.#isSnapping && (tail >= most || spent >= SPENT)
  }

  /** Whether JetStream holds messages whose events were all trimmed. */
  get hasSpent(): boolean {
    return (this.#view?.spent ?? 0) > 0
  }

  /** Nobody has to wait for it. */
  async snap(journal: Journal): Promise<void> {
    const view = this.#view
    if (!view || this.#isSnapping) return
    this.#isSnapping = true
    const { spent, seq } = view
    try {
      const taken = await takeSnapshot(journal, this.name, view)
      const { epoch } = view.head
      if (taken && (await this.current(journal))?.head.epoch !== epoch) {
        // Deleted meanwhile: who removes what is left of it may have passed by.
        await removeSnapshots(journal, this.name, epoch)
        return
      }
      if (view !== this.#view) return
      view.spent -= spent
      view.bare = view.bare.filter((each) => each >= seq)
      if (taken) this.#snapshot = taken
      else
        this.#snapshot = (await newestSnapshot(journal, this.name, view.head.epoch)) ?? NO_SNAPSHOT
    } finally {
      this.#isSnapping = false
    }
  }

  /** Takes what comes between the view and `last`, with that; false where some of it was removed. */
  async #follow(journal: Journal, view: RoomView, last: Kept, meta: Meta): Promise<boolean> {
    const missing = meta.number - view.number
    let chain: Kept[] | undefined
    if (missing > FEW) {
      chain = await journal.from(journal.subject('log', this.name), view.seq + 1, missing)
    } else {
      chain = [last]
      for (let before = meta.before; chain.length < missing; ) {
        const kept = await journal.at(before)
        if (!kept) return false
        chain.unshift(kept)
        before = metaIn(kept).meta.before
      }
    }
    for (const kept of chain) {
      const message = await journal.message(kept)
      if (!message || message.meta.beforeId !== view.id) return false
      view.take(message)
      this.#bodies.keep(message)
    }
    return view.id === meta.id
  }
}
