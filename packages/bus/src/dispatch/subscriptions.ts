/**
 * Which subscriptions an event type has: a trie of pattern segments behind a memo of types seen
 * before, so that the number of patterns costs only the first event of a type.
 */

import { Stats, type TypeTally } from './stats.ts'

/** A live subscription, in the order in which it was made. */
export interface Subscription {
  readonly patterns: readonly string[]
  /** Made by `add`; smaller means earlier. */
  order: number
}

/** What there is of a type, looked up once for each event. */
interface Entry<S> {
  /** Its subscriptions, each once, in the order in which they were made. */
  readonly matching: readonly S[]
  readonly tally: TypeTally
}

interface Node<S> {
  readonly children: Map<string, Node<S>>
  /** Subscriptions whose pattern ends here. */
  readonly here: Set<S>
  /** Subscriptions whose pattern ends here with `**`. */
  readonly below: Set<S>
}

/** Types remembered at most; past it the memo starts afresh. */
const MAX_MEMO_TYPES = 10_000

export class Subscriptions<S extends Subscription> {
  readonly #root: Node<S> = createNode()
  readonly #all = new Set<S>()
  readonly #stats: Stats
  /** Lists are never changed, only replaced: a running dispatch keeps the one it began with. */
  #memo = new Map<string, Entry<S>>()
  #count = 0
  /** Types that it says no to have no subscriptions, whatever the patterns. */
  readonly hears: (type: string) => boolean

  constructor(hears: (type: string) => boolean = () => true, stats: Stats = new Stats()) {
    this.#stats = stats
    this.hears = hears
  }

  /** @param live false for one that is given its events by other means: it is one of all, and of no type */
  add(subscription: S, live = true): void {
    subscription.order = ++this.#count
    this.#all.add(subscription)
    if (!live) return
    for (const pattern of subscription.patterns) this.#place(pattern).add(subscription)
    this.#memo.clear()
  }

  remove(subscription: S): void {
    if (!this.#all.delete(subscription)) return
    for (const pattern of subscription.patterns) {
      this.#place(pattern).delete(subscription)
      this.#prune(pattern)
    }
    this.#memo.clear()
  }

  /** Subscriptions of a type, each once, in the order in which they were made. */
  of(type: string): readonly S[] {
    // Nothing of it is counted yet, and asking is no reason to begin.
    return this.#memo.get(type)?.matching ?? (this.hears(type) ? this.#find(type) : [])
  }

  /** The same for an event that is there, with the counts of its type. */
  entry(type: string): Entry<S> {
    return this.#memo.get(type) ?? this.#enter(type)
  }

  #enter(type: string): Entry<S> {
    const entry = { matching: this.of(type), tally: this.#stats.of(type) }
    if (this.#memo.size >= MAX_MEMO_TYPES) this.#memo.clear()
    this.#memo.set(type, entry)
    return entry
  }

  [Symbol.iterator](): IterableIterator<S> {
    return this.#all.values()
  }

  #place(pattern: string): Set<S> {
    const segments = segmentsOf(pattern)
    const deep = segments.at(-1) === '**'
    let node = this.#root
    for (const segment of deep ? segments.slice(0, -1) : segments) {
      let child = node.children.get(segment)
      if (!child) {
        child = createNode()
        node.children.set(segment, child)
      }
      node = child
    }
    return deep ? node.below : node.here
  }

  /** Forgets nodes that hold nothing any more. */
  #prune(pattern: string): void {
    const segments = segmentsOf(pattern).filter((segment) => segment !== '**')
    const path: Node<S>[] = [this.#root]
    for (const segment of segments) {
      const child = path.at(-1)?.children.get(segment)
      if (!child) return
      path.push(child)
    }
    for (let i = segments.length; i > 0; i--) {
      const node = path[i] as Node<S>
      if (node.children.size > 0 || node.here.size > 0 || node.below.size > 0) return
      path[i - 1]?.children.delete(segments[i - 1] as string)
    }
  }

  #find(type: string): readonly S[] {
    const segments = type.split('.')
    const found = new Set<S>()
    // Types that start with $ are ours: a wildcard in the first place does not stand for them.
    const system = type.startsWith('$')
    const visit = (node: Node<S>, depth: number): void => {
      const wild = !(system && depth === 0)
      if (depth === segments.length) {
        for (const subscription of node.here) found.add(subscription)
        return
      }
      if (wild) for (const subscription of node.below) found.add(subscription)
      const exact = node.children.get(segments[depth] as string)
      if (exact) visit(exact, depth + 1)
      const any = wild ? node.children.get('*') : undefined
      if (any) visit(any, depth + 1)
    }
    visit(this.#root, 0)
    return [...found].sort((a, b) => a.order - b.order)
  }
}

function createNode<S>(): Node<S> {
  return { children: new Map(), here: new Set(), below: new Set() }
}

/** A lone `*` stands for everything, as `**` does. */
function segmentsOf(pattern: string): string[] {
  return pattern === '*' ? ['**'] : pattern.split('.')
}
