/**
 * The machine's one clock and its one queue. Everything that takes time is a task in it: a text on
 * its way, a write to a disk, a timer, a lock. Between two tasks all microtasks run, so that a run
 * is a function of what was scheduled and of nothing else.
 */
import { fnv1a } from './random.ts'

interface Task {
  readonly at: number
  readonly order: number
  readonly label: string
  readonly run: () => void
  readonly detail: string
  waiting: boolean
}

/**
 * Told of each task before it runs: when, in milliseconds since the run began, what it is, and the
 * text it carries, if it carries one.
 */
export type Trace = (at: number, label: string, detail: string) => void

export class Scheduler {
  /** Milliseconds since the run began. */
  now = 0
  /** Tasks run so far. */
  steps = 0
  /** Differs as soon as two runs differ in any task or its time. */
  hash: number = fnv1a('')
  trace: Trace | undefined
  #order = 0
  readonly #heap: Task[] = []

  /** Runs `run` after `delay` milliseconds of virtual time; the returned function cancels. */
  schedule(delay: number, label: string, run: () => void, detail: string = ''): () => void {
    const at = this.now + Math.max(0, delay)
    const task: Task = { at, order: this.#order++, label, run, detail, waiting: true }
    push(this.#heap, task)
    return () => {
      task.waiting = false
    }
  }

  /** Runs the next task and the microtasks after it; `false` where there is none before `end`. */
  async step(end: number = Number.POSITIVE_INFINITY): Promise<boolean> {
    const task = this.#next(end)
    if (!task) return false
    task.waiting = false
    this.now = task.at
    this.steps += 1
    this.hash = fnv1a(task.label, Math.imul(this.hash ^ Math.round(task.at * 1000), 0x01000193))
    this.trace?.(task.at, task.label, task.detail)
    task.run()
    await microtasks()
    return true
  }

  /** Runs tasks until `done`, at most for `ms` of virtual time; whether it came to `done`. */
  async until(done: () => boolean, ms: number): Promise<boolean> {
    const end = this.now + ms
    // What a caller did just before counts: its microtasks may schedule the first task.
    await microtasks()
    while (!done()) {
      if (!(await this.step(end))) {
        this.now = end
        return done()
      }
    }
    return true
  }

  #next(end: number): Task | undefined {
    for (;;) {
      const first = this.#heap[0]
      if (!first) return undefined
      if (first.waiting && first.at > end) return undefined
      pop(this.#heap)
      if (first.waiting) return first
    }
  }
}

/** Resolves when no microtask is left: in Node with an immediate, elsewhere with a message. */
function microtasks(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve))
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(null)
  })
}

function before(a: Task, b: Task): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function push(heap: Task[], task: Task): void {
  let at = heap.push(task) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    const above = heap[parent] as Task
    if (!before(task, above)) break
    heap[at] = above
    at = parent
  }
  heap[at] = task
}

function pop(heap: Task[]): void {
  const last = heap.pop()
  if (heap.length === 0 || !last) return
  let at = 0
  for (;;) {
    let child = at * 2 + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1] as Task, heap[child] as Task)) child += 1
    if (!before(heap[child] as Task, last)) break
    heap[at] = heap[child] as Task
    at = child
  }
  heap[at] = last
}
