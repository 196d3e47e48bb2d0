/** The views of a bus. What folds them is loaded with the first one. */
import type { Encoded } from '../log/log.ts'
import { type Part, type Waiter, whenLoaded } from '../part.ts'
import type { ProjectOptions } from '../types.ts'
import type { Projector, ProjectorOptions } from './projector.ts'
import { View } from './view.ts'

export interface ViewsOptions extends ProjectorOptions, Waiter {
  readonly part: Part<{ readonly Projector: typeof Projector }>
}

export class Views {
  readonly #options: ViewsOptions
  readonly #views = new Set<View>()
  #made = 0
  #projector: Projector | undefined

  constructor(options: ViewsOptions) {
    this.#options = options
  }

  /** @throws {BusError} invalid_pattern, invalid_options */
  project(patterns: unknown, reducer: unknown, initial: unknown, options: ProjectOptions): View {
    const view = new View(patterns, reducer, initial, options, this.#options.report)
    view.number = ++this.#made
    this.#views.add(view)
    if (this.#projector) this.#projector.add(view)
    else if (view.number === 1)
      whenLoaded(this.#options.part, this.#options, (made) => this.#begin(made))
    return view
  }

  #begin({ Projector: Made }: { readonly Projector: typeof Projector }): void {
    this.#projector = new Made(this.#options)
    for (const view of this.#views) this.#projector.add(view)
  }

  /** Those that are open. */
  get all(): ReadonlySet<View> {
    return this.#views
  }

  /** Ends a view. */
  end(view: View): void {
    this.#views.delete(view)
    if (this.#projector) this.#projector.end(view)
    else view.close()
  }

  /** As of the projector: what is not folded yet is read from the log. */
  changed(head?: number): void {
    this.#projector?.changed(head)
  }

  logged(batch: number, entries: readonly Encoded[]): void {
    this.#projector?.logged(batch, entries)
  }

  renewed(): void {
    this.#projector?.renewed()
  }

  /** Ends all of them; resolves when nothing of them is being written any more. */
  async close(): Promise<void> {
    for (const view of [...this.#views]) this.end(view)
    await this.#projector?.close()
  }
}
