/** The Web Locks of one device: exclusive ones, with `signal`, `steal` and `ifAvailable`. */

/** What a lock needs of the context that asks for it. */
export interface LockHost {
  readonly enter: (ms: number, label: string, run: () => void) => void
}

interface Request {
  readonly host: LockHost
  readonly name: string
  readonly run: (lock: Lock | null) => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Milliseconds until a lock that became free is granted. */
const GRANT_MS = 0.2

export class SimulatedLocks {
  readonly #held = new Map<string, Request>()
  readonly #waiting = new Map<string, Request[]>()

  /** Locks held or waited for. */
  get size(): number {
    let size = this.#held.size
    for (const queue of this.#waiting.values()) size += queue.length
    return size
  }

  heldBy(host: LockHost): boolean {
    return [...this.#held.values()].some((request) => request.host === host)
  }

  /** The `navigator.locks` of one context. */
  managerFor(host: LockHost): LockManager {
    const request = (name: string, ...rest: unknown[]): Promise<unknown> => {
      const run = rest.at(-1) as Request['run']
      const options = (rest.length > 1 ? rest[0] : {}) as LockOptions
      return this.#request(host, name, options, run)
    }
    const query = async (): Promise<LockManagerSnapshot> => ({
      held: [...this.#held.keys()].map((name) => ({ name, mode: 'exclusive' })),
      pending: [...this.#waiting.values()].flat().map(({ name }) => ({ name, mode: 'exclusive' })),
    })
    return { request, query } as LockManager
  }

  /** A context is gone: what it held goes to the next. */
  drop(host: LockHost): void {
    for (const [name, queue] of this.#waiting) {
      this.#waiting.set(
        name,
        queue.filter((request) => request.host !== host),
      )
    }
    for (const [name, held] of this.#held) if (held.host === host) this.#free(name, held)
  }

  #request(
    host: LockHost,
    name: string,
    { signal, steal = false, ifAvailable = false }: LockOptions,
    run: Request['run'],
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const request: Request = { host, name, run, resolve, reject }
      const held = this.#held.get(name)
      if (steal) {
        if (held) {
          this.#held.delete(name)
          const robbed = new DOMException('the lock was stolen', 'AbortError')
          held.host.enter(GRANT_MS, 'lock stolen', () => held.reject(robbed))
        }
        this.#grant(request)
      } else if (!held) this.#grant(request)
      else if (ifAvailable) resolve(run(null))
      else this.#wait(request, signal)
    })
  }

  #wait(request: Request, signal: AbortSignal | undefined): void {
    const queue = this.#waiting.get(request.name) ?? []
    this.#waiting.set(request.name, queue)
    queue.push(request)
    signal?.addEventListener(
      'abort',
      () => {
        const at = this.#waiting.get(request.name)?.indexOf(request) ?? -1
        if (at < 0) return
        this.#waiting.get(request.name)?.splice(at, 1)
        request.reject(signal.reason)
      },
      { once: true },
    )
  }

  #grant(request: Request): void {
    const { host, name, run, resolve, reject } = request
    this.#held.set(name, request)
    host.enter(GRANT_MS, 'lock', () => {
      if (this.#held.get(name) !== request) return
      const lock: Lock = { name, mode: 'exclusive' }
      Promise.resolve(run(lock))
        .finally(() => this.#free(name, request))
        .then(resolve, reject)
    })
  }

  #free(name: string, request: Request): void {
    if (this.#held.get(name) !== request) return
    this.#held.delete(name)
    const next = this.#waiting.get(name)?.shift()
    if (next) this.#grant(next)
  }
}
