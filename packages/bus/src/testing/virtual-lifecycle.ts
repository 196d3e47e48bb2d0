import type { Lifecycle, LifecycleChange, Visibility } from '../platform.ts'

/** A page whose visibility and life a test decides; `none` for contexts that nobody sees. */
export class VirtualLifecycle implements Lifecycle {
  readonly #listeners = new Set<(change: LifecycleChange, persisted: boolean) => void>()
  #visibility: Visibility

  constructor(visibility: Visibility) {
    this.#visibility = visibility
  }

  visibility(): Visibility {
    return this.#visibility
  }

  on(listener: (change: LifecycleChange, persisted: boolean) => void): () => void {
    const own = (change: LifecycleChange, persisted: boolean) => listener(change, persisted)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /** What the browser does next; `persisted` is for `pagehide` and `pageshow`. */
  change(change: LifecycleChange, persisted = false): void {
    if (change === 'visible' || change === 'hidden') this.#visibility = change
    for (const listener of [...this.#listeners]) listener(change, persisted)
  }

  /** How many listen. */
  get listeners(): number {
    return this.#listeners.size
  }
}
