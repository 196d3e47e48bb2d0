/**
 * The one file that touches clock, random numbers, timers and the globals of a runtime, so that
 * everything else can run on a virtual one.
 */
export interface Platform {
  /** What kind of context this is; the default `source` of its events. */
  readonly kind: ContextKind
  /** Wall clock, milliseconds since 1970. Shown, never used to order anything. */
  now(): number
  /** Milliseconds of a clock that never goes back. */
  monotonic(): number
  /** Random letters and digits, from the runtime's own secure generator. */
  randomText(length: number): string
  /** A number from 0 to 1, for jitter only. */
  random(): number
  /** Runs `run` once after `ms`; the returned function cancels. Keeps no process alive. */
  timer(ms: number, run: () => void): () => void
  /** Keeps the process alive until the returned function is called; a page needs no keeping. */
  hold(): () => void
  /** What the browser does to the page: shown, hidden, frozen, kept for the way back. */
  readonly lifecycle: Lifecycle
  /** Web Locks, where the runtime has them. */
  readonly locks: LockManager | undefined
  readonly indexedDB: IDBFactory | undefined
  readonly BroadcastChannel: typeof BroadcastChannel | undefined
  readonly WebSocket: typeof WebSocket | undefined
}

/** Whether somebody can see the page; `none` where there is none: workers and servers. */
export type Visibility = 'visible' | 'hidden' | 'none'

/**
 * `freeze`: no task runs from now on until `resume`. `pagehide`: the page goes; where it is
 * `persisted` it is kept, stopped, and may come back with `pageshow`.
 */
export type LifecycleChange = 'visible' | 'hidden' | 'freeze' | 'resume' | 'pagehide' | 'pageshow'

export interface Lifecycle {
  visibility(): Visibility
  /**
   * Calls `listener` on each change; `persisted` says of `pagehide` that the page may come back,
   * and of `pageshow` that it has. The returned function ends it.
   */
  on(listener: (change: LifecycleChange, persisted: boolean) => void): () => void
}

export type ContextKind = 'page' | 'iframe' | 'worker' | 'service-worker' | 'node' | 'deno' | 'bun'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** Unbiased: of 256 byte values the last 8 are thrown away, 248 being 4 times 62. */
function randomText(length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length * 2))) {
      if (byte < 248 && text.length < length) text += ALPHABET[byte % 62]
    }
  }
  return text
}

function contextKind(): ContextKind {
  const scope = globalThis as unknown as Record<string, unknown>
  if ('Deno' in scope) return 'deno'
  if ('Bun' in scope) return 'bun'
  if ('ServiceWorkerGlobalScope' in scope) return 'service-worker'
  if ('WorkerGlobalScope' in scope) return 'worker'
  if ('document' in scope && 'window' in scope) {
    return scope['parent'] === scope['window'] ? 'page' : 'iframe'
  }
  return 'node'
}

/** Nobody sees a worker or a server, and what stops them does not announce it. */
const UNSEEN: Lifecycle = { visibility: () => 'none', on: () => () => {} }

/** Never `unload` or `beforeunload`: listening to them costs a page the way back. */
function pageLifecycle(page: Document, view: Window): Lifecycle {
  return {
    visibility: () => (page.visibilityState === 'visible' ? 'visible' : 'hidden'),
    on(listener) {
      const ending = new AbortController()
      const options = { signal: ending.signal }
      const seen = (): void => listener(page.hidden ? 'hidden' : 'visible', false)
      page.addEventListener('visibilitychange', seen, options)
      for (const change of ['freeze', 'resume'] as const) {
        page.addEventListener(change, () => listener(change, false), options)
      }
      for (const change of ['pagehide', 'pageshow'] as const) {
        view.addEventListener(change, (event) => listener(change, event.persisted), options)
      }
      return () => ending.abort()
    },
  }
}

function runtimeLifecycle(): Lifecycle {
  const { document, window } = globalThis as { document?: Document; window?: Window }
  const isPage = document?.visibilityState !== undefined && window !== undefined
  return isPage ? pageLifecycle(document, window) : UNSEEN
}

/** The window of this page, where there is one. */
export function ownWindow(): (Window & typeof globalThis) | undefined {
  const { window } = globalThis as { window?: Window & typeof globalThis }
  return window === undefined || window.window !== window ? undefined : window
}

/** The longest a timer can be set to. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The runtime this code runs on. Reads globals when asked, never on import. */
export function runtimePlatform(): Platform {
  const scope = globalThis as typeof globalThis & Record<string, unknown>
  return {
    kind: contextKind(),
    now: () => Date.now(),
    monotonic: () => performance.now(),
    randomText,
    random: () => Math.random(),
    timer(ms, run) {
      // Set to more, a timer ends at once: what others ask to wait would then be a loop.
      const handle: unknown = setTimeout(run, Math.min(ms, MAX_TIMER_MS))
      if (typeof handle === 'object' && handle !== null && 'unref' in handle) {
        ;(handle as { unref(): void }).unref()
      } else if ('Deno' in scope) {
        ;(scope['Deno'] as { unrefTimer?(id: unknown): void }).unrefTimer?.(handle)
      }
      return () => clearTimeout(handle as number)
    },
    hold() {
      const handle = setInterval(() => {}, MAX_TIMER_MS)
      return () => clearInterval(handle)
    },
    lifecycle: runtimeLifecycle(),
    locks: scope.navigator?.locks,
    indexedDB: scope.indexedDB,
    BroadcastChannel: scope.BroadcastChannel,
    WebSocket: scope.WebSocket,
  }
}

/** Address, without query and fragment, and title of this page or worker; nothing on servers. */
export function ownPlace(): { url?: string; title?: string } {
  const { location, document } = globalThis as { location?: Location; document?: Document }
  // Deno has a location of no meaning where it was given one.
  if (location === undefined || location.origin === undefined) return {}
  const title = document?.title
  return { url: location.origin + location.pathname, ...(title && { title }) }
}

/** A text of the page's session storage, where it has one that can be read. */
export function sessionText(key: string): string | undefined {
  try {
    // Node warns of a storage without a file at the first look.
    return ownWindow()?.sessionStorage.getItem(key) ?? undefined
  } catch {
    return undefined
  }
}

/** How much of its room the origin uses, in bytes, and whether the browser keeps it. */
export async function storageQuota(): Promise<
  { usage: number; quota: number; persisted: boolean } | undefined
> {
  try {
    const { storage } = (globalThis as { navigator?: Navigator }).navigator ?? {}
    if (storage?.estimate === undefined) return undefined
    const { usage = 0, quota = 0 } = await storage.estimate()
    return { usage, quota, persisted: await storage.persisted() }
  } catch {
    return undefined
  }
}
