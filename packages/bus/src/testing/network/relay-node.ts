/** One node of the relay: a process at a time, which can end between any two steps of it. */
import type { Random } from './random.ts'
import type { RelayHost, RelayProcess, RelayProgram } from './relay-program.ts'
import type { Scheduler } from './scheduler.ts'

/** What a node is made with. */
export interface RelayNodeOptions {
  readonly number: number
  readonly nodes: number
  readonly random: Random
  readonly scheduler: Scheduler
  readonly wall: () => number
}

export class RelayNode {
  readonly number: number
  process: RelayProcess | undefined
  /** Counts processes: what an earlier one had begun is not done. */
  life = 0
  timers = 0
  /** Whether nobody gets through to it. */
  isolated = false
  /** How to end the requests that wait for an answer of the process. */
  readonly requests: Set<() => void> = new Set()
  readonly #options: RelayNodeOptions

  constructor(options: RelayNodeOptions) {
    this.number = options.number
    this.#options = options
  }

  start(program: RelayProgram): void {
    if (this.process) return
    this.timers = 0
    this.process = program.start(this.#host())
  }

  /** Whether there was a process to end. */
  crash(): boolean {
    if (!this.process) return false
    this.process = undefined
    this.life += 1
    this.timers = 0
    for (const end of [...this.requests]) end()
    return true
  }

  #host(): RelayHost {
    const { life } = this
    const { nodes, number: node, random, scheduler, wall } = this.#options
    return {
      node,
      nodes,
      now: wall,
      monotonic: () => scheduler.now,
      random: () => random.next(),
      randomText: (length) => random.text(length),
      timer: (ms, label, run) => {
        this.timers += 1
        let waits = true
        const cancel = scheduler.schedule(ms, label, () => {
          if (life !== this.life) return
          this.timers -= 1
          waits = false
          run()
        })
        return () => {
          if (waits && life === this.life) this.timers -= 1
          waits = false
          cancel()
        }
      },
    }
  }
}
