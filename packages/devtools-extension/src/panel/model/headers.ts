/** Asks for the envelopes of events of which only ids are known, when they do not come by themselves. */
import { type Answers, type Ids, type PeerId, packIds } from '@crosstown/bus/inspect'
import type { SessionStore } from './session.ts'
import type { Timing } from './timing.ts'

/** They are on their way mostly: another peer's records bring them. */
const PATIENCE_MS = 1_500
const MAX_ASKED = 200
const MAX_REMEMBERED = 20_000

export class Headers {
  readonly #timing: Timing
  readonly #session: SessionStore
  readonly #ask: (peer: PeerId, ids: Ids) => Promise<Answers['headers']>
  /** Asked for already: nobody has them. */
  readonly #asked = new Set<string>()
  #cancel: (() => void) | undefined
  #before = new Set<string>()

  constructor(
    timing: Timing,
    session: SessionStore,
    ask: (peer: PeerId, ids: Ids) => Promise<Answers['headers']>,
  ) {
    this.#timing = timing
    this.#session = session
    this.#ask = ask
  }

  /** Looks whether there are some, soon. */
  look(): void {
    if (this.#cancel || this.#session.orphans(1).length === 0) return
    this.#cancel = this.#timing.later(PATIENCE_MS, () => {
      this.#cancel = undefined
      this.#round()
    })
  }

  close(): void {
    this.#cancel?.()
  }

  #round(): void {
    const orphans = this.#session.orphans(2_000).filter(({ id }) => !this.#asked.has(id))
    const waited = orphans.filter(({ id }) => this.#before.has(id))
    this.#before = new Set(orphans.map(({ id }) => id))
    const byPeer = new Map<PeerId, string[]>()
    for (const { id, entry } of waited) {
      const peer = this.#session.witnessOf(entry)
      if (peer === undefined) continue
      const ids = byPeer.get(peer) ?? []
      if (ids.length >= MAX_ASKED) continue
      ids.push(id)
      byPeer.set(peer, ids)
      if (this.#asked.size >= MAX_REMEMBERED) this.#asked.clear()
      this.#asked.add(id)
    }
    for (const [peer, ids] of byPeer) {
      this.#ask(peer, packIds(ids)).then(
        ({ events }) => this.#session.describeAll(events, new Set(ids)),
        // Whoever does not answer has none; the events stay without a row.
        () => {},
      )
    }
    if (orphans.length > waited.length) this.look()
  }
}
