/**
 * Leadership: of all contexts that share a log, one holds the relay connection. A Web Lock says
 * which; it is waited for without limit, and the browser passes it on when its holder dies.
 */
import type { Platform } from '../platform.ts'

export interface Leadership {
  /** Gives up what is held or waited for; resolves when the next one may lead. */
  release(): Promise<void>
}

export interface LeadershipOptions {
  readonly platform: Platform
  /** The same for all contexts that share the log. */
  readonly name: string
  /** Whether contexts that share no memory with this one share its log. */
  readonly shared: boolean
  /** Called when this context leads; it leads until what this returns has ended. */
  readonly lead: (signal: AbortSignal) => Promise<void>
}

/** Waits to lead, then leads until `release`. */
export function contend(options: LeadershipOptions): Leadership {
  const { platform, name, shared, lead } = options
  const ending = new AbortController()
  const { signal } = ending
  const { locks } = platform
  let leading: Promise<void> | undefined
  const take = (): Promise<void> => {
    leading = signal.aborted ? Promise.resolve() : lead(signal)
    return leading
  }
  if (shared && locks) {
    // Rejected when it is aborted while it waits, which is how waiting ends.
    locks.request(name, { signal }, take).catch(() => {})
  } else {
    takeTurn(name, take)
  }
  return {
    async release() {
      ending.abort()
      await leading?.catch(() => {})
    },
  }
}

/** Turns at logs that only this process has open. */
const TURNS = new Map<string, Promise<void>>()

function takeTurn(name: string, take: () => Promise<void>): void {
  const turn = (TURNS.get(name) ?? Promise.resolve()).then(take).catch(() => {})
  TURNS.set(name, turn)
  void turn.then(() => {
    if (TURNS.get(name) === turn) TURNS.delete(name)
  })
}
