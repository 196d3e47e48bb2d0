/**
 * Turns at leading: of all contexts that share a log, one holds the relay connection. A Web Lock
 * says which; it is waited for without limit, and the browser passes it on when its holder dies.
 * Where contexts share a log but there are no locks, a row of the log says so, with a time at which
 * it lapses. Where only this process has the log, contexts take turns here.
 */
import { type BusError, toBusError } from '../errors.ts'
import type { Log } from '../log/log.ts'
import type { Platform } from '../platform.ts'

/** One turn, waited for or held. */
export interface Turn {
  /**
   * Gives up what is held or waited for; resolves when the next one may lead.
   *
   * @param atOnce without waiting for what is being written: this context is about to stand still
   */
  release(atOnce?: boolean): Promise<void>
  /** Whoever led may have let go. */
  nudge(): void
}

export interface TurnOptions {
  readonly platform: Platform
  readonly log: Pick<Log, 'shared' | 'lease' | 'releaseLease' | 'dropLease'>
  /** The same for all contexts that share the log. */
  readonly name: string
  /** This context. */
  readonly holder: string
  /** Take it from whoever holds it, where there are Web Locks. */
  readonly steal?: boolean
  /** Somebody else should have it first: a lease has no queue to go to the end of. */
  readonly patient?: boolean
  /** Called when this context leads; it leads until what this returns has ended. */
  readonly lead: (signal: AbortSignal) => Promise<void>
  /** The turn is over without having been released; `taken` if this context led in it. */
  readonly over: (taken: boolean) => void
  readonly report: (error: BusError) => void
}

/** Hidden pages get a timer once a minute only: what lapses sooner would lapse while they live. */
const LEASE_MS = 150_000
const RENEW_MS = 30_000
/** How often who waits for a lease looks at it; at first, after it may have been given back, sooner. */
const LOOK_MS = 10_000
const SOON_MS = 50
/** How long who gave way waits before it takes a lease again. */
const PATIENCE_MS = 2_000

/** A turn at something of the log other than leading it: with a lock, a lease, a queue of its own. */
export function namedTurn(
  log: Log,
  ...of: readonly (string | undefined)[]
): Pick<TurnOptions, 'log' | 'name'> {
  const name = `crosstown:${JSON.stringify(of)}`
  const { shared, storage } = log
  const { lease, releaseLease, dropLease } = log
  return {
    name: shared ? name : `${storage}:${name}`,
    log: {
      shared,
      ...(lease && { lease: (holder, now, ttl) => lease.call(log, holder, now, ttl, name) }),
      ...(releaseLease && { releaseLease: (holder) => releaseLease.call(log, holder, name) }),
      ...(dropLease && { dropLease: (holder) => dropLease.call(log, holder, name) }),
    },
  }
}

/** Waits to lead, then leads until `release`, or until it is over for another reason. */
export function takeTurn(options: TurnOptions): Turn {
  const { platform, log, name, steal } = options
  const turn = new Waiting(options)
  if (log.shared && platform.locks) {
    const how = steal ? { steal } : { signal: turn.signal }
    // Rejected when it is aborted while it waits, and when it is stolen while it is held.
    turn.ended = platform.locks.request(name, how, turn.take).then(turn.end, turn.end)
  } else if (log.shared && log.lease) turn.ended = lease(options, turn)
  else turn.ended = inProcess(name, turn)
  return turn
}

class Waiting implements Turn {
  readonly #options: TurnOptions
  readonly #ending = new AbortController()
  readonly #atOnce: PromiseWithResolvers<void> = Promise.withResolvers()
  #leading: Promise<void> | undefined
  #released = false
  /** Resolves when the next one may lead. */
  ended: Promise<void> = Promise.resolve()
  /** Gives back what is held, in the task of the call. */
  drop: (() => void) | undefined
  #wake: (() => void) | undefined

  constructor(options: TurnOptions) {
    this.#options = options
  }

  get signal(): AbortSignal {
    return this.#ending.signal
  }

  readonly take = (): Promise<void> => {
    if (this.signal.aborted) return Promise.resolve()
    const { lead, report } = this.#options
    const led = lead(this.signal).catch((error: unknown) =>
      report(toBusError(error, 'log_failed', 'leading failed', { stage: 'device' })),
    )
    this.#leading = Promise.race([led, this.#atOnce.promise])
    return this.#leading
  }

  readonly end = async (): Promise<void> => {
    this.#ending.abort()
    await this.#leading
    if (!this.#released) this.#options.over(this.#leading !== undefined)
  }

  async release(atOnce = false): Promise<void> {
    this.#released = true
    this.#ending.abort()
    this.nudge()
    if (atOnce) {
      this.drop?.()
      this.#atOnce.resolve()
    }
    await (atOnce || !this.#leading ? this.#leading : this.ended)
  }

  nudge(): void {
    this.#wake?.()
  }

  /** Waits so long, or until it is nudged: whether it was. */
  pause(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#options.platform.timer(ms, () => resolve(false))
      this.#wake = () => {
        cancel()
        resolve(true)
      }
    })
  }
}

async function lease(options: TurnOptions, turn: Waiting): Promise<void> {
  const { platform, log, holder, patient, report } = options
  const { signal } = turn
  let until = 0
  const renew = async (): Promise<boolean> => {
    const now = platform.now()
    try {
      const held = (await log.lease?.(holder, now, LEASE_MS)) ?? false
      if (held) until = now + LEASE_MS
      return held
    } catch (error) {
      if (!signal.aborted) {
        report(toBusError(error, 'log_failed', 'the lease could not be had', { stage: 'device' }))
      }
      return false
    }
  }
  if (patient) await turn.pause(PATIENCE_MS)
  let held = !signal.aborted && (await renew())
  for (let wait = LOOK_MS; !held && !signal.aborted; ) {
    // The word that it is free may come before it is.
    wait = (await turn.pause(wait)) ? SOON_MS : Math.min(LOOK_MS, 2 * wait)
    held = !signal.aborted && (await renew())
  }
  if (held) {
    let cancel = (): void => {}
    const again = async (): Promise<void> => {
      if (!(await renew())) void turn.end()
      else if (!signal.aborted) cancel = platform.timer(RENEW_MS, again)
    }
    cancel = platform.timer(RENEW_MS, again)
    turn.drop = () => {
      if (platform.now() < until) log.dropLease?.(holder)
    }
    await turn.take()
    cancel()
    // Where it cannot be given back, it lapses.
    await log.releaseLease?.(holder).catch(() => {})
  }
  await turn.end()
}

/** Turns at logs that only this process has open. */
const TURNS = new Map<string, Promise<void>>()

function inProcess(name: string, turn: Waiting): Promise<void> {
  const done = (TURNS.get(name) ?? Promise.resolve()).then(turn.take)
  TURNS.set(name, done)
  return done.then(() => {
    if (TURNS.get(name) === done) TURNS.delete(name)
    return turn.end()
  })
}
