/**
 * Who died without a word. Each context holds a Web Lock of its own while it is there, which the
 * browser takes from one that crashed; whoever leads waits for the locks of the others, and tells
 * that they are gone. A page that may be kept stopped lets go of all: a lock would keep it from that.
 */
import type { Platform } from '../platform.ts'
import type { Presence } from '../sync/sync.ts'

export interface AliveOptions {
  readonly platform: Pick<Platform, 'locks'>
  /** This context. */
  readonly prefix: string
  readonly presence: Presence
  readonly leads: () => boolean
}

export class Alive {
  readonly #options: AliveOptions
  /** Lets go of this context's own lock. */
  #release: (() => void) | undefined
  /** Locks of others that are waited for. */
  readonly #waits = new Map<string, AbortController>()

  constructor(options: AliveOptions) {
    this.#options = options
  }

  /** This context is there. */
  begin(): void {
    const { platform, prefix, presence } = this.#options
    if (!platform.locks || this.#release) return
    const ending = new AbortController()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#release = () => {
      ending.abort()
      resolve()
    }
    this.#request(prefix, ending, () => {
      presence.locked(true)
      return promise
    })
  }

  /** Somebody came, went, or leads. */
  review(): void {
    const { leads, presence, prefix } = this.#options
    const others =
      this.#release && leads()
        ? presence.contexts.filter(({ id, lock }) => lock && id !== prefix)
        : NOBODY
    if (others.length + this.#waits.size === 0) return
    const ids = new Set(others.map(({ id }) => id))
    for (const [id, ending] of this.#waits) {
      if (ids.has(id)) continue
      this.#waits.delete(id)
      ending.abort()
    }
    for (const id of ids) if (!this.#waits.has(id)) this.#wait(id)
  }

  #wait(id: string): void {
    const ending = new AbortController()
    this.#waits.set(id, ending)
    this.#request(id, ending, () => {
      if (this.#waits.get(id) === ending) this.#options.presence.died(id)
    })
  }

  /** Calls back with the lock of a context; not once it was given up. */
  #request(id: string, { signal }: AbortController, run: () => Promise<void> | void): void {
    const { locks } = this.#options.platform
    const granted = (): Promise<void> | void => (signal.aborted ? undefined : run())
    // Given up, or not to be had here: then silence tells.
    locks?.request(`crosstown.context.${id}`, { signal }, granted).catch(() => {})
  }

  /** This context stands still, or is closed. */
  end(): void {
    this.#release?.()
    this.#release = undefined
    this.#options.presence.locked(false)
    this.review()
  }
}

const NOBODY: ReturnType<() => Presence['contexts']> = []
