/** What the frame of all engines asks of one of them: how to reach it, and what its errors mean. */
import type { Durability } from '@crosstown/bus/protocol'

/** Said by one relay to the others on its engine. */
export interface Signal {
  /** Who says it: another one for each store that is open. */
  readonly node: string
  /** The room it is about, or whatever else its sender has agreed on with those who hear it. */
  readonly room: string
  readonly text: string
}

/** What is to be thought of an error. */
export type Trouble =
  /** The connection is no more: all that runs on it has failed. */
  | 'lost'
  /** The server is there and says no: trying again helps nobody before something was changed. */
  | 'refused'
  /** It is about the call alone. */
  | 'call'

/** Whom a client tells of its connections, whenever and as often as it likes. */
export interface ClientHears {
  /** The client is of no more use. */
  lost(error: unknown): void
  /** A connection ended, which may mean something: the server is asked whether it is there. */
  doubt(): void
}

/** One kind of engine, by means of its own client `C`. */
export interface EngineDriver<C> {
  /** As metrics and logs have it: `postgres`. */
  readonly kind: string
  /** As people have it: `PostgreSQL`. */
  readonly name: string
  /**
   * What to set, so that a crash of its machine takes nothing that it confirmed: `appendonly to yes`.
   * Absent where nothing can be.
   */
  readonly strict?: string

  /**
   * A client that is not connected.
   *
   * @throws {BusError} invalid_options
   */
  make(hears: ClientHears): C

  /**
   * Connects, makes what is missing, and checks what the store needs of its server; what a commit is worth.
   *
   * @throws {BusError} log_unavailable, log_damaged, invalid_options: no use in trying again
   */
  open(client: C): Promise<Durability>

  /** Asks the server for any answer. */
  ping(client: C): Promise<unknown>

  /**
   * From when it resolves, `take` is given what is said, and `undefined` where something may have been
   * missed. What `node` says itself need not be whole.
   */
  listen(client: C, node: string, take: (signal: Signal | undefined) => void): Promise<unknown>

  /** To all who listen, whoever says it included. */
  say(client: C, signal: Signal): Promise<unknown>

  /** Ends connections on which nothing runs any more. */
  end(client: C): Promise<unknown>

  /** Lets go of everything at once, in whatever state it is; also twice. */
  drop(client: C): void

  troubleOf(error: unknown): Trouble
}

/** What an engine's error says. Drivers keep passwords, queries and their parameters out of it. */
export function why(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Of several addresses of a name, none of which answers.
  const causes = error instanceof AggregateError ? error.errors.map(why) : []
  return error.message || causes.join(', ') || error.name
}

/** Of a server whose certificate is not accepted, or of one that has no TLS where it is asked for. */
export function isCertificate(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /CERT|^ERR_(TLS|SSL)|^UNABLE_TO_|^SELF_SIGNED/.test(code)
}
