/** A source as the hub uses it: its state, and what each peer on it may still send. */
import type { PeerId } from '@crosstown/bus/inspect'
import type { InspectSource, SourceState } from '../../sources/source.ts'
import type { SourceInfo } from './model.ts'

export class Link {
  /** Batch frames that a peer may be ahead of the panel. */
  static readonly CREDIT = 16

  readonly id: string
  readonly source: InspectSource
  /** What taps know this inspector by. */
  readonly session: string = crypto.randomUUID()
  state: SourceState = 'connecting'
  detail: string | undefined
  /** Peers told that somebody inspects them. */
  readonly #attached = new Set<PeerId>()
  /** Batches taken in of a peer since it was granted some. */
  readonly #taken = new Map<PeerId, number>()

  constructor(id: string, source: InspectSource) {
    this.id = id
    this.source = source
  }

  get info(): SourceInfo {
    const { label, kind } = this.source
    const { state, detail } = this
    return { label, kind, state, ...(detail === undefined ? {} : { detail }) }
  }

  /** An `attach` goes out, to one peer or to all. */
  attached(peer: PeerId | undefined): void {
    if (peer === undefined) {
      this.#attached.clear()
      this.#taken.clear()
    } else {
      this.#attached.add(peer)
      this.#taken.delete(peer)
    }
  }

  isAttached(peer: PeerId): boolean {
    return this.#attached.has(peer)
  }

  forget(peer: PeerId): void {
    this.#attached.delete(peer)
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
