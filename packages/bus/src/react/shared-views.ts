/** Read models that the components of a tree share: each is folded once. */
import { runtimePlatform } from '../platform.ts'
import type { Bus, Matched, Projection, ProjectOptions } from '../types.ts'
import type { Source } from './use-observable.ts'

/** How long a view goes on without users, so that who comes back to it finds it folded. */
const GRACE_MS = 5_000

type AnyBus = Bus<Record<string, unknown>>
type AnyEvent = Matched<Record<string, unknown>, string>

/** What a component asks for. */
export interface ViewRequest {
  readonly patterns: string | readonly string[]
  readonly reducer: (state: unknown, event: AnyEvent) => unknown
  readonly initial: unknown
  readonly options: ProjectOptions
}

interface SharedView {
  readonly view: Projection<unknown>
  users: number
  /** Takes back that it is closed soon. */
  keep: () => void
}

/** The open views of each bus, by what they are asked for with. */
const opened = /* @__PURE__ */ new WeakMap<object, Map<string, SharedView>>()
const identities = /* @__PURE__ */ new WeakMap<object, number>()
let lastIdentity = 0

/** Equal for the same function or object, and for equal primitive values. */
function identity(value: unknown): string {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) {
    return `${typeof value} ${String(value)}`
  }
  const known = identities.get(value) ?? ++lastIdentity
  identities.set(value, known)
  return `#${known}`
}

/**
 * The view that others with an equal request see, too: the same patterns, and the same key and
 * version, or without a key the same reducer and initial state. Opened by its first subscriber, so
 * that a render that comes to nothing leaves nothing open; until then it shows `initial`.
 */
export function sharedView(bus: AnyBus, request: ViewRequest): Source<unknown> {
  const { patterns, reducer, initial, options } = request
  const { key, version = 1 } = options
  const fold = key === undefined ? [identity(reducer), identity(initial)] : [key, version]
  const name = JSON.stringify([[patterns].flat(), ...fold])
  return {
    get() {
      const shared = opened.get(bus)?.get(name)
      return shared ? shared.view.get() : initial
    },
    subscribe(callback) {
      const views = opened.get(bus) ?? new Map<string, SharedView>()
      opened.set(bus, views)
      let shared = views.get(name)
      if (!shared) {
        shared = { view: bus.project(patterns, reducer, initial, options), users: 0, keep() {} }
        views.set(name, shared)
      }
      return join(shared, callback, () => views.delete(name))
    },
  }
}

function join(shared: SharedView, callback: () => void, closed: () => void): () => void {
  const off = shared.view.subscribe(callback)
  shared.users++
  shared.keep()
  return () => {
    off()
    if (--shared.users > 0) return
    shared.keep = runtimePlatform().timer(GRACE_MS, () => {
      closed()
      shared.view.close()
    })
  }
}
