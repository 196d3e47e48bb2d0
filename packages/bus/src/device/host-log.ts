/**
 * Of a context whose log does not open: the log that keeps its events, which is that of whoever
 * leads the other contexts of the origin. It is looked for at boot, and again when that one may be
 * gone. In come offers and signs of another log, out go questions.
 */
import type { Platform } from '../platform.ts'
import type { HostFrame, Way } from '../sync/sync.ts'

export interface HostLogOptions {
  readonly platform: Platform
  /** Asks the other contexts who keeps a log. */
  readonly seek: () => void
  /** An offer that counts; `moved` where it is another log than before. */
  readonly offered: (frame: HostFrame, way: Way, moved: boolean) => void
}

/** How long a context whose log does not open waits for one that keeps its events. */
const PROBE_MS = 1_000
/** And asks again, as one may begin to lead meanwhile. */
const PROBE_AGAIN_MS = 100
/** How long who looks for the log in place of another does not look again. */
const SEEK_AGAIN_MS = 1_000

export class HostLog {
  readonly #options: HostLogOptions
  #id: string | undefined
  /** Logs of which nothing is true any more, whoever names them late. */
  readonly #former = new Set<string>()
  #soughtAt = Number.NEGATIVE_INFINITY
  /** Ends the looking at boot. */
  #found: (() => void) | undefined

  constructor(options: HostLogOptions) {
    this.#options = options
  }

  /** Absent where this context has a log, or nobody of the origin has one. */
  get id(): string | undefined {
    return this.#id
  }

  /** Looks for one; resolves when it is found, or nobody answers. */
  async find(): Promise<void> {
    const { platform, seek } = this.#options
    const until = platform.monotonic() + PROBE_MS
    let cancel = (): void => {}
    await new Promise<void>((resolve) => {
      this.#found = resolve
      const ask = (): void => {
        if (platform.monotonic() >= until) resolve()
        else {
          cancel = platform.timer(PROBE_AGAIN_MS, ask)
          seek()
        }
      }
      ask()
    })
    cancel()
    this.#found = undefined
  }

  /** Of the contexts of one origin those that lead have the same log: another one is the next. */
  offered(frame: HostFrame, way: Way): void {
    const { log } = frame
    const before = this.#id
    if ((before === undefined && !this.#found) || this.#former.has(log)) return
    if (before !== undefined && before !== log) this.#former.add(before)
    this.#id = log
    this.#options.offered(frame, way, before !== undefined && before !== log)
    this.#found?.()
  }

  /** Somebody leads who has another log: it may be there in place of this one. */
  seekAgain(): void {
    const { platform, seek } = this.#options
    const now = platform.monotonic()
    if (this.#id === undefined || now - this.#soughtAt < SEEK_AGAIN_MS) return
    this.#soughtAt = now
    seek()
  }
}
