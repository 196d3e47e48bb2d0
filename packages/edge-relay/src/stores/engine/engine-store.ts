/** What stores on engines have in common: their connection, and what relays say to each other. */
import { BusError, type Durability } from '@crosstown/bus/protocol'
import { type Platform, systemPlatform } from '../../platform.ts'
import type { StoreConnection } from '../store.ts'
import type { EngineDriver } from './driver.ts'
import { EngineLink } from './link.ts'

/** What all engines are told. */
export interface EngineOptions {
  /**
   * `strict` refuses an engine that may lose what it confirmed when its machine crashes. Else it is used as
   * it is set up, and `store.durability` says which.
   */
  readonly durability?: 'strict' | undefined
  /**
   * Milliseconds after which a server that says nothing is taken to be gone, 100 or more: the connection
   * is dropped and another one made.
   * @default 10000
   */
  readonly silenceMs?: number
  /** Clock, timers and chance. @internal */
  readonly platform?: Platform
}

const SILENCE_MS = 10_000
const LEAST_SILENCE_MS = 100

/** @throws {BusError} invalid_options */
export function engineLink<C>(driver: EngineDriver<C>, options: EngineOptions): EngineLink<C> {
  const { silenceMs = SILENCE_MS, platform = systemPlatform } = options
  if (!(Number.isFinite(silenceMs) && silenceMs >= LEAST_SILENCE_MS)) {
    const what = `silenceMs: a number of milliseconds, ${LEAST_SILENCE_MS} or more`
    throw new BusError('invalid_options', what)
  }
  return new EngineLink(driver, platform, silenceMs, options.durability === 'strict')
}

/** A store on an engine; what it asks of its client is in the class of each. */
export abstract class EngineStore<C> {
  readonly engine: string
  readonly connection: StoreConnection
  readonly #link: EngineLink<C>

  constructor(link: EngineLink<C>) {
    this.#link = link
    this.engine = link.status.get().kind
    this.connection = link.status
  }

  get durability(): Durability {
    return this.#link.durability
  }

  signal(room: string, text: string): void {
    this.#link.say(room, text)
  }

  listen(heard: (room: string | undefined, text: string) => void): void {
    this.#link.listen((signal) => heard(signal?.room, signal?.text ?? ''))
  }

  close(): Promise<void> {
    return this.#link.close()
  }

  /** Does something with the client. @throws {BusError} unavailable */
  protected call<T>(what: string, run: (client: C) => Promise<T>): Promise<T> {
    return this.#link.call(what, run)
  }
}
