/**
 * Of a context without a log: asks where the room has own batches of which nothing was heard. The
 * one text that said so may be lost, and here is no log that has it. In come beats and answers, out
 * go questions and confirmations.
 */
import type { Platform } from '../platform.ts'
import type { PlacedFrame, Waiters } from '../sync/sync.ts'

export interface InquiryOptions {
  readonly platform: Platform
  readonly waiters: Pick<Waiters, 'batches' | 'confirm'>
  readonly ask: (batches: readonly number[]) => void
}

/** Most confirmations come by themselves within this time. */
const ASK_AFTER_MS = 1_000
/** Batches asked about at once, the oldest first: as many as a frame may name. */
const MAX_ASKED = 100

export class Inquiry {
  readonly #options: InquiryOptions
  #cancel: (() => void) | undefined

  constructor(options: InquiryOptions) {
    this.#options = options
  }

  /** Asks in a while about what is still waited for by then. */
  soon(): void {
    const { platform, waiters, ask } = this.#options
    if (this.#cancel || waiters.batches().length === 0) return
    this.#cancel = platform.timer(ASK_AFTER_MS, () => {
      this.#cancel = undefined
      const batches = waiters.batches().slice(0, MAX_ASKED)
      if (batches.length > 0) ask(batches)
    })
  }

  answered({ batch, parts, whole }: PlacedFrame): void {
    const { waiters } = this.#options
    // Others ask as well, and all hear the answers.
    if (!waiters.batches().includes(batch)) return
    for (const { refused = [], ...part } of parts) {
      waiters.confirm({ batch, ...part, refused, whole: false })
    }
    if (!whole || !waiters.batches().includes(batch)) return
    waiters.confirm({ batch, epoch: '', place: 0, indexes: [], refused: [], whole: true })
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
