/** The routes of those who operate a relay: they are about no room, and give away nothing of any. */
import type { Context, Hono, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { Meter } from '../metrics.ts'
import type { Platform } from '../platform.ts'
import type { Store } from '../stores/store.ts'
import type { Exposition } from './metrics.ts'
import { type Described, openApi } from './openapi.ts'
import { Readiness } from './ready.ts'

/** What these routes ask. */
export interface Operated {
  readonly store: Store
  readonly platform: Platform
  readonly exposition: Exposition
  readonly draining: () => boolean
  readonly described: Described
}

// biome-ignore lint/suspicious/noExplicitAny: whatever its environment is, these routes use nothing of it.
export function addOperatorRoutes(app: Hono<any>, operated: Operated): void {
  app.get('/health', (c) => c.json({ status: 'ok' }))
  const readiness = new Readiness(operated.store, operated.platform)
  app.get('/ready', (c) => readiness.answer(c, operated.draining()))
  app.get('/metrics', (c) => operated.exposition.answer(c))
  let document: string | undefined
  app.get('/openapi.json', (c) => {
    document ??= JSON.stringify(openApi(operated.described))
    return c.body(document, 200, { 'Content-Type': 'application/json' })
  })
}

/** Counts requests; sockets come by before it. */
export function counted(meter: Meter, platform: Platform): MiddlewareHandler {
  return async (c, next) => {
    const beganMs = platform.monotonic()
    await next()
    const route = routeOf(c)
    meter.count('http_requests_total', 1, methodOf(c.req.method), route, String(c.res.status))
    meter.took('http_request_seconds', platform.monotonic() - beganMs, route)
  }
}

/** The pattern of the route that a request is for, `none` where there is none: not its path. */
export function routeOf(c: Context): string {
  return matchedRoutes(c).findLast(({ method }) => method !== 'ALL')?.path ?? 'none'
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'])

/** Whoever asks chooses it: what is not a method of ours has one name. */
function methodOf(method: string): string {
  return METHODS.has(method) ? method : 'other'
}
