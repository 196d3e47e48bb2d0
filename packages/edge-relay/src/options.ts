/** How a relay is made. */
import { BusError } from '@crosstown/bus/protocol'
import type { Auth } from './auth.ts'
import type { Authorize } from './authorize.ts'
import type { MetricsAccess } from './http/metrics.ts'
import type { RoomRetention } from './keeping.ts'
import type { Limits } from './limits.ts'
import type { LogSink } from './log.ts'
import { countTrouble, type Told, tellTrouble } from './operators.ts'
import type { Outbox } from './outbox/outbox.ts'
import type { Platform } from './platform.ts'
import type { Store } from './stores/store.ts'

/** How a relay is made; all of it is optional. */
export interface RelayOptions {
  /**
   * Where rooms are kept.
   * @default memoryStore()
   */
  readonly store?: Store
  /** Decides over tokens. Without it the relay serves its own machine only, and everyone on it. */
  readonly auth?: Auth
  /** Rules of the application's own, asked beside what a token allows. */
  readonly authorize?: Authorize
  /**
   * How many proxies stand before the relay, each of which adds to `X-Forwarded-For` whom it was
   * asked by. Limits by address count who asked the first of them; with too high a number, whoever
   * asks can say who it is.
   * @default 0
   */
  readonly trustProxy?: number
  /**
   * A table in which applications leave events, in transactions of their own: `postgresOutbox` or
   * `sqliteOutbox`. It is closed with the relay.
   * @default none
   */
  readonly outbox?: Outbox
  /**
   * Origins of pages that may come: `'https://shop.example'`, or `'*'`.
   * @default pages of this machine
   */
  readonly origins?: readonly string[]
  readonly limits?: Partial<Limits>
  /**
   * How much is kept of which rooms, where that is another than the limits say.
   * @default as in `limits`
   */
  readonly retention?: RoomRetention
  /**
   * Folder of the built panel, which is then served at `/inspector`: `dist/page` of the developer tools.
   * @default false
   */
  readonly inspector?: string | false
  /**
   * Who may read `/metrics`: `'open'` whoever reaches it, `{ token }` who has this token of its own (at
   * least 16 characters), `false` nobody.
   * @default 'open' without `auth`, else `false`
   */
  readonly metrics?: MetricsAccess
  /**
   * Gets a record of each thing that an operator may want to know: who came and went, what was refused,
   * what failed. `logLine` makes a line of one.
   * @default none
   */
  readonly log?: LogSink
  /**
   * Hears of what went wrong behind the scenes.
   * @default the log, and without one console.error
   */
  readonly onError?: (error: unknown, context: { readonly room?: string }) => void
  /** @internal */
  readonly platform?: Platform
  /** It has no timer of its own: whoever made it calls `driver.tick`. @internal */
  readonly driven?: boolean
}

/** The option, checked. @throws {BusError} invalid_options */
export function proxiesOf({ trustProxy = 0 }: RelayOptions): number {
  if (Number.isSafeInteger(trustProxy) && trustProxy >= 0 && trustProxy <= 16) return trustProxy
  throw new BusError('invalid_options', 'trustProxy is how many proxies stand before the relay')
}

/** Tells operators and the application of what went wrong; nothing thrown there leaves it. */
export type Report = (error: unknown, room?: string) => void

/**
 * @param isKnown whether operators were told of the cause of an error already, which then is only counted
 */
export function reportTo(
  options: RelayOptions,
  told: Told,
  isKnown: (error: unknown) => boolean,
): Report {
  const toApplication = applicationOf(options)
  return (error, room) => {
    if (isKnown(error)) return countTrouble(told, error)
    tellTrouble(told, error, room)
    toApplication(error, room)
  }
}

/** Tells the application of what went wrong. */
export function applicationOf({ log, onError = log ? () => {} : printed }: RelayOptions): Report {
  return (error, room) => {
    try {
      onError(error, room === undefined ? {} : { room })
    } catch (failure) {
      // Reports come from where nobody catches: a reporter that throws must not stop a room.
      console.error('[edge-relay] onError threw', failure)
    }
  }
}

function printed(error: unknown): void {
  console.error('[edge-relay]', error)
}
