/** What the application puts around publishing and handling: a chain, the first used outermost. */
import { BusError } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import type { Middleware, MiddlewareContext, MiddlewareTools, PublishedDraft } from '../types.ts'
import type { Around, Dispatcher, HandlerContextLike } from './dispatcher.ts'

export type AroundPublish = NonNullable<Middleware['publish']>
type AroundHandle = NonNullable<Middleware['handle']>

export class Middlewares {
  readonly #dispatcher: Pick<Dispatcher, 'around'>
  readonly #tools: MiddlewareTools
  /** Lists are replaced, never changed: who is on the way through one goes on through it. */
  #used: readonly Middleware[] = []
  /** Those around publishing; `undefined` where there is none. */
  publishing: readonly AroundPublish[] | undefined

  constructor(dispatcher: Pick<Dispatcher, 'around'>, tools: MiddlewareTools) {
    this.#dispatcher = dispatcher
    this.#tools = tools
  }

  /** @returns what takes it away. @throws {BusError} invalid_options */
  use(given: Middleware | ((tools: MiddlewareTools) => Middleware)): () => void {
    const middleware = { ...(typeof given === 'function' ? given(this.#tools) : given) }
    const { publish, handle } = middleware
    if ([publish, handle].some((one) => one !== undefined && typeof one !== 'function'))
      throw new BusError('invalid_options', 'use: publish and handle are functions')
    this.#set([...this.#used, middleware])
    return () => this.#set(this.#used.filter((one) => one !== middleware))
  }

  #set(used: readonly Middleware[]): void {
    this.#used = used
    const publishing = used.flatMap(({ publish }) => publish ?? [])
    const handling = used.flatMap(({ handle }) => handle ?? [])
    this.publishing = publishing.length > 0 ? publishing : undefined
    this.#dispatcher.around = handling.length > 0 ? aroundOf(handling) : undefined
  }
}

function aroundOf(list: readonly AroundHandle[]): Around {
  return (event, context, call) => passHandle(list, 0, event, context, call)
}

function passHandle(
  list: readonly AroundHandle[],
  index: number,
  event: BusEvent,
  context: HandlerContextLike,
  call: (event: BusEvent) => unknown,
): unknown {
  const one = list[index]
  if (!one) return call(event)
  const next = (changed = event) => passHandle(list, index + 1, changed, context, call)
  return one(event, next, context as unknown as MiddlewareContext)
}

/** Sees what goes back up the chain of a draft. */
interface Watch {
  /** What `next` gives to a middleware. */
  gave(promise: Promise<BusEvent>): void
  /** What a middleware gives. */
  gives(result: unknown): void
}

/** One event through the chain, to `last`; what it gives is what the outermost gives, or `last`. */
export async function passPublish(
  list: readonly AroundPublish[],
  draft: PublishedDraft,
  last: (draft: PublishedDraft) => Promise<BusEvent>,
  watch?: Watch,
): Promise<BusEvent> {
  let published: Promise<BusEvent> | undefined
  const pass = (index: number, event: PublishedDraft): Promise<BusEvent> => {
    const one = list[index]
    if (one)
      return (async () => {
        const result = one(event, (given = event) => {
          const passed = pass(index + 1, given)
          watch?.gave(passed)
          return passed
        })
        watch?.gives(result)
        return result as BusEvent
      })()
    published = last(event)
    // Whoever waits hears of it from the outermost.
    published.catch(() => {})
    return published
  }
  const result = (await pass(0, draft)) as BusEvent | undefined
  if (typeof result?.id === 'string') return result
  if (published) return published
  const what = `a middleware did not pass ${draft.type} on`
  throw new BusError('aborted', what, { stage: 'batch', eventType: draft.type })
}

/** Several, which go on together once each came through, or did not. */
export async function passAll(
  list: readonly AroundPublish[],
  drafts: readonly PublishedDraft[],
  send: (drafts: readonly PublishedDraft[]) => Promise<BusEvent[]>,
): Promise<BusEvent[]> {
  const passed: ([PublishedDraft, (event: Promise<BusEvent>) => void] | undefined)[] = []
  /** What `next` gave, and for which draft. */
  const given = new Map<unknown, number>()
  /** Drafts that end as another one does, which waits for all: it does not wait for these. */
  const shared = new Set<number>()
  let pending = drafts.length
  let ready = (): void => {}
  const all = new Promise<void>((resolve) => (ready = resolve))
  const arrived = (): void => {
    if (--pending === 0) ready()
  }
  const results = drafts.map((draft, i) => {
    let counted = false
    const count = (): void => {
      if (!counted) arrived()
      counted = true
    }
    const last = (changed: PublishedDraft): Promise<BusEvent> => {
      const event = new Promise<BusEvent>((resolve) => {
        passed[i] = [changed, resolve]
      })
      count()
      return event
    }
    const result = passPublish(list, draft, last, {
      gave: (promise) => given.set(promise, i),
      gives: (promise) => {
        if ((given.get(promise) ?? i) === i) return
        shared.add(i)
        count()
      },
    })
    result.then(count, count)
    return result
  })
  if (pending > 0) await all
  const going = passed.filter((one) => one !== undefined)
  const stopped = results.filter((_, i) => passed[i] === undefined && !shared.has(i))
  const sendAll = () => send(going.map(([draft]) => draft))
  // One that was refused takes the others with it: all or none.
  const events = stopped.length > 0 ? Promise.all(stopped).then(sendAll) : sendAll()
  events.catch(() => {})
  going.forEach(([, resolve], i) => {
    resolve(events.then((list) => list[i] as BusEvent))
  })
  return Promise.all(results)
}
