/** The data of events on one line each, asked for as they are looked at, and kept for a while. */
import { askHolders } from '../../copy/load.ts'
import type { EventRow, Hub } from '../../model/model.ts'

/** Previews kept; the oldest goes first. */
const KEPT = 2_000
/** Questions under way at once: who scrolls on does not wait for what was passed. */
const AT_ONCE = 8

export class Previews {
  readonly #hub: Hub
  readonly #changed: () => void
  /** `undefined` while it is asked for. */
  readonly #texts = new Map<string, string | undefined>()
  #wanted: EventRow[] = []
  #asking = 0

  /** @param changed told when there are more of them */
  constructor(hub: Hub, changed: () => void) {
    this.#hub = hub
    this.#changed = changed
  }

  get(id: string): string | undefined {
    return this.#texts.get(id)
  }

  /** What is looked at now: what was wanted before and was not asked for yet is not any more. */
  want(rows: readonly EventRow[]): void {
    this.#wanted = rows.filter(({ id }) => !this.#texts.has(id))
    this.#next()
  }

  #next(): void {
    while (this.#asking < AT_ONCE) {
      const row = this.#wanted.shift()
      if (!row) return
      this.#ask(row)
    }
  }

  async #ask(row: EventRow): Promise<void> {
    const { id } = row
    this.#asking += 1
    this.#keep(id, undefined)
    try {
      const tree = await askHolders(this.#hub.session, row, (peer) =>
        this.#hub.ask(peer, { what: 'payload', event: id, depth: 0 }),
      )
      this.#keep(id, tree.type === 'undefined' ? '' : tree.preview)
    } catch {
      // The detail says why; one line has no room for it.
      this.#keep(id, '')
    }
    this.#asking -= 1
    this.#changed()
    this.#next()
  }

  #keep(id: string, text: string | undefined): void {
    this.#texts.delete(id)
    this.#texts.set(id, text)
    if (this.#texts.size <= KEPT) return
    for (const oldest of this.#texts.keys()) {
      this.#texts.delete(oldest)
      break
    }
  }
}
