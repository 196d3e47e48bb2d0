/**
 * The connection to an engine, whichever it is: made, watched, lost, and made again.
 *
 * ```
 * connecting ──► online ──► offline ──► online ...
 *                  │  ^ a beat each few seconds, that has to come back
 *                  └ calls: fail at once where the engine is away, and have an end where it is silent
 * ```
 *
 * A server that stands still, or one that a firewall has cut off without a word, breaks no connection:
 * it is known by its silence alone.
 */
import { BusError, type Durability, isBusError } from '@crosstown/bus/protocol'
import type { Platform } from '../../platform.ts'
import { type EngineDriver, type Signal, why } from './driver.ts'
import { Status } from './status.ts'
import { backoffMs, SilenceError, within } from './waiting.ts'

/** A call has so many times the silence: it may have much to do, where beats go on. */
const CALL_SILENCES = 3
const LOOKS = 10
const CLOSE_MS = 5_000
const NODE_LENGTH = 16
/** No name of a room. */
const BEAT = '$beat'

interface Running {
  readonly sinceMs: number
  readonly fail: (error: unknown) => void
}

/** One connection, of whatever its driver makes of it. */
export class EngineLink<C> {
  readonly status: Status
  /** Who this is among those who hear each other. */
  readonly node: string
  readonly #driver: EngineDriver<C>
  readonly #platform: Platform
  readonly #silenceMs: number
  readonly #isStrict: boolean
  readonly #running = new Set<Running>()
  #durability: Durability = 'memory'
  /** The client that is in use. */
  #client: C | undefined
  /** The one that is being made. */
  #opening: C | undefined
  #take: ((signal: Signal | undefined) => void) | undefined
  #beat = { number: 0, heard: true, atMs: 0 }
  #stopWatch: (() => void) | undefined
  #stopPause: (() => void) | undefined
  #quiet: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor(driver: EngineDriver<C>, platform: Platform, silenceMs: number, isStrict = false) {
    this.#isStrict = isStrict
    this.#driver = driver
    this.#platform = platform
    this.#silenceMs = silenceMs
    this.status = new Status(driver.kind, platform)
    this.node = platform.randomName(NODE_LENGTH)
  }

  /** What held of commits when it was last connected; until then, the least. */
  get durability(): Durability {
    return this.#durability
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  /**
   * Resolves when it is online, or the server cannot be reached now: then it goes on trying.
   *
   * @throws {BusError} invalid_options, log_unavailable, log_damaged: what no second try would mend
   */
  async start(): Promise<void> {
    try {
      await this.#open()
    } catch (cause) {
      const error = this.#told(cause)
      if (isBusError(cause) || this.#driver.troubleOf(cause) === 'refused') {
        await this.close()
        throw error
      }
      this.status.set('connecting', error)
      void this.#reopen()
    }
  }

  /** Does something with the client. @throws {BusError} unavailable */
  async call<T>(what: string, run: (client: C) => Promise<T>): Promise<T> {
    if (this.closed) throw unavailable('the store is closed')
    const client = this.#client
    const { name } = this.#driver
    if (client === undefined) {
      const { lastError } = this.status.get()
      throw unavailable(lastError?.message ?? `${name} cannot ${what}: it is not connected yet`)
    }
    let entry: Running | undefined
    try {
      return await new Promise<T>((resolve, reject) => {
        entry = { sinceMs: this.#platform.monotonic(), fail: reject }
        this.#running.add(entry)
        run(client).then(resolve, reject)
      })
    } catch (cause) {
      if (isBusError(cause)) throw cause
      if (this.#driver.troubleOf(cause) === 'lost') this.#lost(client, cause)
      throw unavailable(`${name} cannot ${what}: ${why(cause)}`, cause)
    } finally {
      if (entry) this.#running.delete(entry)
      if (this.#running.size === 0) this.#quiet?.()
    }
  }

  /** From now on `take` is given what is said; `undefined` where something may have been missed. */
  listen(take: (signal: Signal | undefined) => void): void {
    this.#take = take
    const client = this.#client
    if (client === undefined) return
    this.#listen(client, take).catch((error: unknown) => this.#lost(client, error))
  }

  /** To the others, at most once: nobody hears of it where that fails. */
  say(room: string, text: string): void {
    if (this.#client === undefined || this.closed) return
    this.call('signal', (client) =>
      this.#driver.say(client, { node: this.node, room, text }),
    ).catch(() => {
      // Whoever did not hear it reads the room when it is asked for it.
    })
  }

  /** Ends what runs, which has an end even where the server is silent, and then the connection. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#stopPause?.()
    if (this.#opening !== undefined) this.#driver.drop(this.#opening)
    if (this.#running.size > 0) await new Promise<void>((resolve) => (this.#quiet = resolve))
    this.#stopWatch?.()
    const client = this.#client
    if (client === undefined) return
    this.#client = undefined
    await within(this.#platform, CLOSE_MS, this.#driver.end(client)).catch(() => {})
    this.#driver.drop(client)
  }

  async #open(): Promise<void> {
    const driver = this.#driver
    const client = driver.make({
      lost: (error) => this.#lost(client, error),
      doubt: () => this.#doubt(client),
    })
    this.#opening = client
    try {
      const opened = within(this.#platform, this.#silenceMs, driver.open(client))
      const durability = await opened
      if (this.#isStrict && durability !== 'disk') throw weak(driver)
      this.#durability = durability
      if (this.#take)
        await within(this.#platform, this.#silenceMs, this.#listen(client, this.#take))
      if (this.closed) throw unavailable('the store is closed')
    } catch (error) {
      driver.drop(client)
      throw error
    } finally {
      this.#opening = undefined
    }
    this.#client = client
    this.#beat = { number: this.#beat.number + 1, heard: true, atMs: this.#platform.monotonic() }
    this.#stopWatch = this.#platform.every(this.#silenceMs / LOOKS, () => this.#look(client))
    this.status.set('online')
    this.#take?.(undefined)
  }

  async #reopen(): Promise<void> {
    for (let tries = 0; !this.closed; tries++) {
      await this.#pause(backoffMs(tries, this.#platform))
      if (this.closed) return
      try {
        await this.#open()
        return
      } catch (error) {
        if (!this.closed) this.status.set(this.status.get().state, this.#told(error))
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#platform.every(ms, () => {
        stop()
        resolve()
      })
      this.#stopPause = () => {
        stop()
        resolve()
      }
    })
  }

  #lost(client: C, cause: unknown): void {
    if (client !== this.#client) return
    this.#client = undefined
    this.#stopWatch?.()
    this.#driver.drop(client)
    this.status.set('offline', this.#told(cause))
    for (const { fail } of this.#running) fail(cause)
    if (!this.closed) void this.#reopen()
  }

  async #listen(client: C, take: (signal: Signal | undefined) => void): Promise<void> {
    await this.#driver.listen(client, this.node, (signal) => {
      if (client !== this.#client) return
      if (signal?.node === this.node) {
        if (signal.room === BEAT && signal.text === String(this.#beat.number))
          this.#beat.heard = true
      } else if (signal?.room !== BEAT) take(signal)
    })
    if (client === this.#client) take(undefined)
  }

  /** Whether the server still answers. */
  #look(client: C): void {
    const nowMs = this.#platform.monotonic()
    const beatMs = this.#silenceMs / 2
    const callMs = this.#silenceMs * CALL_SILENCES
    const { atMs, heard } = this.#beat
    if ([...this.#running].some(({ sinceMs }) => nowMs - sinceMs >= callMs))
      this.#lost(client, new SilenceError(callMs))
    else if (nowMs - atMs >= beatMs) {
      if (heard) this.#ask(client, nowMs)
      else this.#lost(client, new SilenceError(beatMs))
    }
  }

  #doubt(client: C): void {
    if (client === this.#client && this.#beat.heard) this.#ask(client, this.#platform.monotonic())
  }

  /** Where others are heard it is asked for by saying something, so that the way back is tried as well. */
  #ask(client: C, nowMs: number): void {
    const beat = { number: this.#beat.number + 1, heard: false, atMs: nowMs }
    this.#beat = beat
    const text = String(beat.number)
    const asked = this.#take
      ? this.#driver.say(client, { node: this.node, room: BEAT, text })
      : this.#driver.ping(client).then(() => {
          beat.heard = true
        })
    asked.catch((error: unknown) => this.#lost(client, error))
  }

  #told(cause: unknown): BusError {
    if (isBusError(cause)) return cause
    const message = `${this.#driver.name} cannot be used: ${why(cause)}`
    return new BusError('log_unavailable', message, { stage: 'log', cause })
  }
}

function weak({ name, strict }: Pick<EngineDriver<unknown>, 'name' | 'strict'>): BusError {
  const what = `durability is strict, and its machine may lose what it confirms${strict ? `; set ${strict}` : ''}`
  return new BusError('log_unavailable', `${name} cannot be used: ${what}`, { stage: 'log' })
}

function unavailable(message: string, cause?: unknown): BusError {
  return new BusError('unavailable', message, { stage: 'log', cause })
}
