/**
 * Keeps the log open. A log comes and goes: it is cleared by another context, the browser closes
 * the connection to it, and a page that is put away has to let go of it. Whoever needs it asks
 * `open` and gets the one that is open, or the next.
 */
import { BusError, isBusError, toBusError } from '../errors.ts'
import type { Log, LogSource, LogState, Writer } from '../log/log.ts'
import type { Platform } from '../platform.ts'
import type { StatusSnapshot } from '../types.ts'

export interface LogKeeperOptions {
  readonly platform: Platform
  readonly source: LogSource
  readonly name: string
  readonly room: string
  /** Whether what the log has not sent yet is counted when it opens. */
  readonly outbox: boolean
  readonly writer: (log: Log) => Writer
  /** Whether another context keeps what this one persists, where its log does not open at boot. */
  readonly hosted: () => Promise<boolean>
  /** The log used from boot on where neither is to be had. */
  readonly fallback: () => Promise<() => Log>
  /** A log is open; `renewed` where it is not the one there was before. */
  readonly opened: (state: LogState, renewed: boolean) => void
  /**
   * The log is gone, for the reason given, or let go of. Called before anything else hears of it;
   * resolves when nothing uses it any more.
   */
  readonly left: (reason: BusError | undefined) => Promise<void>
  readonly state: (state: StatusSnapshot['log']['state']) => void
  readonly report: (error: BusError) => void
}

/** A log that was there is tried to be opened for so long, and a last time. */
const AGAIN_FOR_MS = 2_000
const MIN_AGAIN_MS = 100
/** Before one that could not be loaded is tried again by itself, doubled each time up to the longest. */
const LOAD_AGAIN_MS = 5_000
const MAX_LOAD_AGAIN_MS = 60_000

export interface Open {
  readonly log: Log
  readonly writer: Writer
  readonly id: string
}

export class LogKeeper {
  readonly #options: LogKeeperOptions
  #create: () => Log
  #opening: Promise<Log | undefined> | undefined
  #open: Open | undefined
  /** The id of the last log that was open. */
  #lastId: string | undefined
  #bytesBefore = 0
  #resumed: PromiseWithResolvers<void> | undefined
  #standsIn = false
  /** Whether another context keeps what this one persists. */
  #hosted = false
  /** What was told of one that could not be loaded. */
  readonly #told = new Set<string>()
  #againMs = LOAD_AGAIN_MS
  #cancelAgain: (() => void) | undefined
  #closed = false

  constructor(options: LogKeeperOptions) {
    const { source, name, room, platform } = options
    this.#options = options
    this.#create = () => source.create(name, room, platform)
  }

  /** The log that is open, with its writer and id. */
  get opened(): Open | undefined {
    return this.#open
  }

  /** Whether memory stands in for a log that did not open. */
  get standsIn(): boolean {
    return this.#standsIn
  }

  get log(): Log | undefined {
    return this.#open?.log
  }

  get writer(): Writer | undefined {
    return this.#open?.writer
  }

  /** The id of the log that is open, or was last. */
  get id(): string | undefined {
    return this.#lastId
  }

  /** Bytes of headers and data written by this context. */
  get bytes(): number {
    return this.#bytesBefore + (this.#open?.writer.bytes ?? 0)
  }

  /**
   * The log, once it is open; `undefined` for a guest. One that could not be had again is tried anew
   * each time, and at boot one that could not be loaded by itself, too.
   */
  open(): Promise<Log | undefined> {
    this.#opening ??= this.#begin(this.#lastId === undefined)
    return this.#opening
  }

  async #begin(boot: boolean): Promise<Log | undefined> {
    const { outbox, platform, source, state, fallback, hosted } = this.#options
    state('opening')
    const began = platform.monotonic()
    for (let tries = 0; ; tries++) {
      if (this.#closed) throw new BusError('closed', 'the bus was closed while its log opened')
      let log: Log | undefined
      let found: LogState
      try {
        await source.load?.()
        log = this.#create()
        found = await log.open(outbox)
      } catch (error) {
        // While it clears the data of a site, a browser opens nothing. One that went while it opened
        // was there: memory is not to stand in for it.
        const wasThere = !boot || isBusError(error, 'log_lost') || isBusError(error, 'log_cleared')
        if (wasThere && !this.#closed && platform.monotonic() - began < AGAIN_FOR_MS) {
          await pause(platform, MIN_AGAIN_MS * 2 ** tries)
          continue
        }
        const reason = toBusError(error, 'log_unavailable', 'the log did not open', {
          stage: 'log',
        })
        this.#tell(reason, boot)
        if (!boot || source.required) {
          state('closed')
          // Memory in place of a log that was there would hide what is in it: only at boot.
          if (!boot) this.#opening = undefined
          else if (reason.code === 'unavailable') this.#tryAgain()
          throw reason
        }
        this.#hosted = await hosted()
        if (this.#hosted) {
          state('closed')
          return undefined
        }
        try {
          this.#create = await fallback()
        } catch (error) {
          this.#tell(error as BusError, true)
          state('closed')
          this.#tryAgain()
          throw error
        }
        this.#standsIn = true
        log = this.#create()
        found = await log.open(outbox)
      }
      if (!this.#resumed && !this.#closed) return this.#use(log, found)
      await log.close()
      await this.#resumed?.promise
    }
  }

  /** Until it is there, each reason is told once. */
  #tell(reason: BusError, once: boolean): void {
    if (this.#closed || (once && this.#told.has(reason.code))) return
    this.#told.add(reason.code)
    this.#options.report(reason)
  }

  /** Whoever only listens calls no more: once the network is back it is to hear the others. */
  #tryAgain(): void {
    this.#opening = undefined
    if (this.#closed || this.#cancelAgain) return
    this.#cancelAgain = this.#options.platform.timer(this.#againMs, () => {
      this.#cancelAgain = undefined
      this.open().catch(() => {})
    })
    this.#againMs = Math.min(2 * this.#againMs, MAX_LOAD_AGAIN_MS)
  }

  #use(log: Log, found: LogState): Log {
    const { writer: make, opened, state } = this.#options
    const writer = make(log)
    writer.sawTime(found.head.time)
    const renewed = this.#lastId !== undefined && this.#lastId !== found.logId
    this.#lastId = found.logId
    this.#open = { log, writer, id: found.logId }
    state('open')
    opened(found, renewed)
    log.watch((error) => this.#lost(log, error))
    return log
  }

  #lost(log: Log, error: BusError): void {
    if (this.#open?.log !== log || this.#closed) return
    void this.#leave(error)
    this.#options.report(error)
    this.#opening = this.#begin(false)
    // Whoever waits for the log hears why it is not to be had; it was reported.
    this.#opening.catch(() => {})
  }

  #leave(reason: BusError | undefined): Promise<void> {
    this.#bytesBefore = this.bytes
    this.#open = undefined
    return this.#options.left(reason)
  }

  /**
   * Deletes the log for all its contexts. Resolves when the next one is open here.
   *
   * @throws {BusError} log_unavailable, log_failed
   */
  async clear(): Promise<void> {
    // In this task where it is open: what is published from now on is for the next log.
    const log = this.#open?.log ?? (await this.open())
    // Somebody else was faster: what there was is gone.
    if (this.#open?.log !== log) return void (await this.open())
    if (!log) throw new BusError('log_unavailable', 'the log did not open here', { stage: 'log' })
    const left = this.#leave(clearedError())
    let failure: unknown
    this.#opening = (async () => {
      await left
      await log.clear().catch((error: unknown) => {
        if (!isBusError(error, 'log_cleared')) failure = error
        return log.close()
      })
      return this.#begin(false)
    })()
    await this.#opening
    if (failure !== undefined) {
      throw toBusError(failure, 'log_failed', 'the log could not be cleared', { stage: 'log' })
    }
  }

  /** Whether the log was let go of. */
  get suspended(): boolean {
    return this.#resumed !== undefined
  }

  /**
   * Lets go of the log at once, until `resume`; what was begun ends by itself. One that nobody else
   * can have is kept: it is in nobody's way, and gone once it is closed. Where another context keeps
   * it, there is nothing to let go of.
   */
  suspend(): void {
    const log = this.#open?.log
    const has = this.#opening && !this.#hosted && log?.shared !== false
    if (!has || this.#closed || this.#resumed) return
    this.#resumed = Promise.withResolvers()
    // While it opens, it is let go of as soon as it is open.
    if (!log) return
    void this.#leave(undefined)
    void log.close()
    this.#options.state('closed')
    this.#opening = this.#resumed.promise.then(() => this.#begin(false))
    this.#opening.catch(() => {})
  }

  resume(): void {
    this.#resumed?.resolve()
    this.#resumed = undefined
  }

  /** Closes the log for good. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelAgain?.()
    this.resume()
    await this.#opening?.catch(() => {})
    await this.#open?.log.close()
  }
}

function pause(platform: Platform, ms: number): Promise<void> {
  return new Promise((resolve) => {
    platform.timer(ms, resolve)
  })
}

function clearedError(): BusError {
  return new BusError('log_cleared', 'the log was cleared', { stage: 'log' })
}
