/** A source as the hub uses it: its state, and what each peer on it may still send. */
import type { PeerId } from '@crosstown/bus/inspect'
import type { InspectSource, SourceState } from '../../sources/source.ts'
import type { SourceInfo } from './model.ts'
import type { KnownPeer } from './peers.ts'

export interface Numbers {
  /** Number of the next record. */
  next: number
  /** When the newest record was written, by the peer's clock. */
  lastAt: number
}

export class Link {
  /** Batch frames that a peer may be ahead of the panel. */
  static readonly CREDIT = 32

  readonly id: string
  readonly source: InspectSource
  /** What taps know this inspector by. */
  readonly session: string = crypto.randomUUID()
  state: SourceState = 'connecting'
  detail: string | undefined
  /** Of a file: rows that are no events are lines of their own. */
  hasNotes = false
  /** Peers told that somebody inspects them. */
  readonly #attached = new Set<PeerId>()
  /** Peers whose hello is awaited. */
  readonly #awaited = new Set<PeerId>()
  /** Batches taken in of a peer since it was granted some. */
  readonly #taken = new Map<PeerId, number>()

  /** The first row that came after it. */
  readonly firstRow: number
  readonly #numbers = new Map<PeerId, Numbers>()

  constructor(id: string, source: InspectSource, firstRow: number) {
    this.id = id
    this.source = source
    this.firstRow = firstRow
  }

  /**
   * How far the records of a peer were heard: the same by all ways to it, but for a recording, which
   * begins with `first`.
   */
  numbersOf(peer: KnownPeer, first = 0): Numbers {
    if (this.source.kind !== 'file') return peer
    let numbers = this.#numbers.get(peer.id)
    if (!numbers) {
      numbers = { next: first, lastAt: Number.NEGATIVE_INFINITY }
      this.#numbers.set(peer.id, numbers)
    }
    return numbers
  }

  get info(): SourceInfo {
    const { label, kind } = this.source
    const { state, detail } = this
    return { label, kind, state, ...(detail === undefined ? {} : { detail }) }
  }

  /** Whether a session is this one, as it is named or as a relay tells it on. */
  isOwn(session: string | undefined): boolean {
    return session === undefined || session === this.session || session.endsWith(`.${this.session}`)
  }

  /** An `attach` goes out, to one peer or to all. */
  attached(peer: PeerId | undefined): void {
    if (peer === undefined) {
      for (const known of this.#attached) this.#awaited.add(known)
      this.#taken.clear()
    } else {
      this.#attached.add(peer)
      this.#awaited.add(peer)
      this.#taken.delete(peer)
    }
  }

  /** A hello came: whether it answers an `attach`. */
  answered(peer: PeerId): boolean {
    return this.#awaited.delete(peer)
  }

  isAttached(peer: PeerId): boolean {
    return this.#attached.has(peer)
  }

  forget(peer: PeerId): void {
    this.#attached.delete(peer)
    this.#awaited.delete(peer)
    this.#taken.delete(peer)
  }

  /** A batch was taken in; whether it is time to grant more. */
  took(peer: PeerId): boolean {
    const taken = (this.#taken.get(peer) ?? 0) + 1
    this.#taken.set(peer, taken)
    return taken >= Link.CREDIT / 2
  }

  /** Batches to grant a peer; they count as granted. */
  owed(peer: PeerId): number {
    const taken = this.#taken.get(peer) ?? 0
    this.#taken.delete(peer)
    return taken
  }

  owing(): PeerId[] {
    return [...this.#taken.keys()]
  }
}
