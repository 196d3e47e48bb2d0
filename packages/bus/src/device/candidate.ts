/**
 * Who leads: this context's part in it. It takes its turn like all contexts of the device, gives
 * way to those that can do it better, and takes over from a leader that gives no sign of life. In
 * come the others' news and the life of the page, out goes `lead`.
 *
 * A hidden page is slow and may be frozen any moment: it passes leadership on while a visible page
 * is there. A service worker is stopped after half a minute: it passes it on while anybody is
 * there. Each does so once for each word of the other, so that nobody waits for one that is gone.
 */
import type { BusError } from '../errors.ts'
import type { Log } from '../log/log.ts'
import type { Platform } from '../platform.ts'
import type { HereFrame, JoinFrame, PeerContexts, Seen } from '../sync/sync.ts'
import type { LeaderSnapshot } from '../types.ts'
import type { Store } from './status.ts'
import type { Turn, TurnOptions } from './turn.ts'

export interface CandidateOptions {
  readonly platform: Platform
  /** This context's name among the others. */
  readonly prefix: string
  readonly peers: PeerContexts
  readonly leader: Store<LeaderSnapshot>
  readonly takeTurn: (options: TurnOptions) => Turn
  /** Leads until the signal ends it. */
  readonly lead: (log: Log, signal: AbortSignal) => Promise<void>
  /** Tells the others what a leader knows. */
  readonly beat: () => void
  /** Nobody leads, and this context cannot. */
  readonly unled: () => void
  readonly report: (error: BusError) => void
}

/** How often a leader tells that it is there, and the others ask one that was silent. */
const BEAT_MS = 30_000
/** Silence after which nobody is known to lead. Hidden pages get a timer once a minute only. */
const SILENCE_MS = 150_000
/** How long a leader may take to answer. Also hidden ones answer at once, unless they stand still. */
const ANSWER_MS = 1_500
/** How long the next leader may take to say so, before it is asked. */
const NEXT_MS = 300
/** The least time between two takings. */
const STEAL_MS = 30_000
/** How long a service worker waits for anybody to say that they are there. */
const ALONE_MS = 300
/** Wait after a turn that never came. */
const AGAIN_MS = 1_000

interface Other {
  readonly seen: Seen
  /** Whether leadership was passed on for its sake since its last word. */
  passed: boolean
}

export class Candidate {
  readonly #options: CandidateOptions
  #log: Log | undefined
  /** It has no log to lead, and wants to know who leads that of its host. */
  #follows = false
  #name = ''
  #turn: Turn | undefined
  /** The turn in which this context leads, or is about to. */
  #taken: AbortSignal | undefined
  readonly #others = new Map<string, Other>()
  /** Who was last heard leading, and when. */
  #leader: string | undefined
  #heardAt = Number.NEGATIVE_INFINITY
  #stoleAt = Number.NEGATIVE_INFINITY
  /** Whether the last turn was left to somebody else. */
  #gaveWay = false
  #newsOfOthers: (() => void) | undefined
  #cancelBeat: (() => void) | undefined
  #cancelAnswer: (() => void) | undefined
  #cancelAgain: (() => void) | undefined

  constructor(options: CandidateOptions) {
    this.#options = options
  }

  /** How the others see this context. */
  get seen(): Seen {
    const { kind, lifecycle } = this.#options.platform
    const visibility = lifecycle.visibility()
    if (visibility !== 'none') return visibility
    return kind === 'service-worker' ? kind : 'worker'
  }

  /** The log is open, or the page moves again: takes turns at leading `log`. */
  start(log: Log, name: string): void {
    if (this.#log === log) return
    this.#log = log
    this.#name = name
    this.#again()
    this.#tick()
    this.ask()
  }

  /** Its events are kept in the log of another context: takes no turn, and knows who leads. */
  follow(): void {
    this.#follows = true
    this.#tick()
    this.ask()
  }

  /** Leads and wants to lead no more; resolves when the next one may. */
  async stop(atOnce = false): Promise<void> {
    this.#log = undefined
    this.#follows = false
    for (const cancel of [this.#cancelBeat, this.#cancelAnswer, this.#cancelAgain]) cancel?.()
    this.#cancelBeat = this.#cancelAnswer = this.#cancelAgain = undefined
    const turn = this.#turn
    this.#turn = undefined
    this.#taken = undefined
    this.#newsOfOthers?.()
    await turn?.release(atOnce)
  }

  /** Tells the others that this context is gone for now. */
  goodbye(): void {
    this.#options.peers.postHere('gone', false)
  }

  /** Takes the next turn: where there is a queue, at its end. */
  #again(steal = false): void {
    const { platform, prefix, takeTurn, report } = this.#options
    const log = this.#log
    if (!log) return
    this.#cancelAgain?.()
    this.#cancelAgain = undefined
    const turn: Turn = takeTurn({
      platform,
      log,
      name: this.#name,
      holder: prefix,
      steal,
      patient: this.#gaveWay,
      lead: (signal) => this.#lead(log, signal),
      over: (taken) => {
        if (this.#turn !== turn) return
        this.#turn = undefined
        if (taken) this.#again()
        else this.#cancelAgain = platform.timer(AGAIN_MS, () => this.#again())
      },
      report,
    })
    this.#turn = turn
    this.#gaveWay = false
  }

  async #lead(log: Log, signal: AbortSignal): Promise<void> {
    const { peers, lead } = this.#options
    if (this.seen === 'service-worker') await this.#hearOthers(signal)
    if (signal.aborted) return
    if (this.#givesWay()) {
      peers.postHere(this.seen, false)
      return
    }
    this.#taken = signal
    peers.postHere(this.seen, true)
    try {
      await lead(log, signal)
    } finally {
      // Not where the next turn was taken before this one had quite ended.
      if (this.#taken === signal) {
        this.#taken = undefined
        if (this.#log) peers.postHere(this.seen, false)
      }
    }
  }

  /** Asks who is there, and waits for the first to say so, or long enough. */
  #hearOthers(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel()
        this.#newsOfOthers = undefined
        resolve()
      }
      const cancel = this.#options.platform.timer(ALONE_MS, done)
      this.#newsOfOthers = () => {
        if (signal.aborted || this.#better().length > 0) done()
      }
      this.#options.peers.ask(this.seen)
    })
  }

  /** Whether somebody should lead instead who has not been given the chance yet. */
  #givesWay(): boolean {
    const better = this.#better()
    for (const other of better) other.passed = true
    this.#gaveWay ||= better.length > 0
    return better.length > 0
  }

  #better(): Other[] {
    const { seen } = this
    return [...this.#others.values()].filter(
      (other) =>
        !other.passed &&
        (seen === 'service-worker'
          ? other.seen !== 'service-worker'
          : seen === 'hidden' && other.seen === 'visible'),
    )
  }

  /** Something changed: a leader may have to give way. */
  #reconsider(): void {
    this.#newsOfOthers?.()
    if (!this.#taken || !this.#givesWay()) return
    const turn = this.#turn
    this.#turn = undefined
    this.#taken = undefined
    this.#options.peers.postHere(this.seen, false)
    void turn?.release().then(() => {
      if (!this.#turn) this.#again()
    })
  }

  /** The page was shown or hidden. */
  changed(): void {
    if (!this.#log) return
    this.#options.peers.postHere(this.seen, this.#taken !== undefined)
    this.#reconsider()
    if (this.seen === 'visible') this.ask()
  }

  /** Another context says that it is there, and asks who else is. */
  joined({ prefix, seen }: JoinFrame): void {
    if (prefix !== undefined && seen !== undefined) this.#note(prefix, seen)
    if (this.#log) this.#options.peers.postHere(this.seen, this.#taken !== undefined)
    this.#reconsider()
  }

  /** Another context says that it is there, or that it goes. */
  here({ prefix, seen, leads }: HereFrame): void {
    if (leads) this.led(prefix)
    else if (prefix === this.#leader) {
      this.#leaderGone()
      this.#awaitNext()
    }
    if (!leads) this.#turn?.nudge()
    if (seen === 'gone') this.#others.delete(prefix)
    else this.#note(prefix, seen)
    // It does not know that it could pass leadership on; without a log it could not.
    if (this.#log && leads && seen === 'hidden' && this.seen === 'visible') {
      this.#options.peers.postHere(this.seen, this.#taken !== undefined)
    }
    this.#reconsider()
  }

  #note(prefix: string, seen: Seen): void {
    this.#others.delete(prefix)
    this.#others.set(prefix, { seen, passed: false })
    if (this.#others.size <= MAX_OTHERS) return
    for (const oldest of this.#others.keys()) {
      this.#others.delete(oldest)
      return
    }
  }

  /** A sign of life of the leader. */
  led(prefix: string | undefined): void {
    this.#leader = prefix
    this.#heardAt = this.#options.platform.monotonic()
    this.#cancelAnswer?.()
    this.#cancelAnswer = undefined
    this.#present(true)
  }

  #leaderGone(): void {
    this.#leader = undefined
    this.#heardAt = Number.NEGATIVE_INFINITY
    this.#present(false)
  }

  /** This context leads, or does no more. */
  leads(self: boolean): void {
    this.#leader = undefined
    this.#options.leader.update({ self, present: self })
  }

  #present(present: boolean): void {
    const { leader } = this.#options
    leader.update({ present: present || leader.get().self })
  }

  #tick(): void {
    const { platform, peers, beat } = this.#options
    this.#cancelBeat?.()
    this.#cancelBeat = platform.timer(BEAT_MS, () => {
      // What nobody told, the log has: also the leader may have missed something.
      void peers.look().then(() => this.#taken && beat())
      if (!this.#taken && this.#silentFor(BEAT_MS)) this.ask()
      if (this.#silentFor(SILENCE_MS)) this.#leaderGone()
      this.#tick()
    })
  }

  #silentFor(ms: number): boolean {
    return this.#options.platform.monotonic() - this.#heardAt >= ms
  }

  /** The next in the queue may stand still, too: nobody hears of it then. */
  #awaitNext(): void {
    if (this.#taken || !(this.#follows || (this.#log && this.seen === 'visible'))) return
    this.#cancelAnswer ??= this.#options.platform.timer(NEXT_MS, () => {
      this.#cancelAnswer = undefined
      this.ask()
    })
  }

  /**
   * Asks the leader for a sign of life. One that gives none stands still, with the lock in its
   * hands: a visible page takes over. What the old one still writes is refused by its term.
   */
  ask(): void {
    const { peers, platform, unled } = this.#options
    if (!(this.#log || this.#follows) || this.#taken || this.#cancelAnswer) return
    peers.ask(this.#log && this.seen)
    this.#cancelAnswer = platform.timer(ANSWER_MS, () => {
      this.#cancelAnswer = undefined
      if (this.#taken) return
      this.#leaderGone()
      if (this.#follows) unled()
      else this.#steal()
    })
  }

  #steal(): void {
    const { platform, peers } = this.#options
    const now = platform.monotonic()
    const may = platform.locks && this.#log?.shared && peers.linked && this.seen === 'visible'
    if (!may || now - this.#stoleAt < STEAL_MS) return
    this.#stoleAt = now
    const turn = this.#turn
    this.#turn = undefined
    void turn?.release()
    this.#again(true)
  }
}

/** Contexts remembered at most; the longest silent one goes first. */
const MAX_OTHERS = 1_000
