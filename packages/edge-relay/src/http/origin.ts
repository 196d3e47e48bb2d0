/** Which pages requests may come from, and what those of other origins may read of the answers. */
import { BusError } from '@crosstown/bus/protocol'
import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import { hostName, isLoopbackHost, mayAskToInspect, type OriginPolicy } from '../origins.ts'
import { CLOUD_EVENT_HEADERS } from './cloud-events.ts'
import type { RelayEnv } from './env.ts'
import { TRACING_HEADERS } from './headers.ts'

const INSPECT_PATH = /^\/rooms\/[^/]+\/inspect$/

/** Lets pages in that are served; without auth, those alone that asked for this machine by its name. */
export function checkedOrigin(
  maySee: OriginPolicy,
  loopbackOnly: boolean,
): MiddlewareHandler<RelayEnv> {
  return async (c, next) => {
    const origin = c.req.header('origin')
    const host = c.req.header('host')
    const mayInspect = (origin: string): boolean =>
      INSPECT_PATH.test(c.req.path) && mayAskToInspect(origin, host)
    if (origin !== undefined && !maySee(origin) && !mayInspect(origin)) {
      throw new BusError(
        'bad_origin',
        `pages of ${origin.slice(0, 200)} are not served; see the option origins`,
      )
    }
    if (loopbackOnly) checkHost(c.req.url, host)
    await next()
  }
}

/** A page may have pointed a name of its own at this machine: then Host is that name. */
function checkHost(url: string, host: string | undefined): void {
  const names = [new URL(url).hostname, ...(host === undefined ? [] : [hostName(host)])]
  if (names.every(isLoopbackHost)) return
  throw new BusError(
    'bad_origin',
    'without auth this relay answers to names of its own machine only',
  )
}

/** Tells browsers which pages may read the answers. */
export function crossOrigin(maySee: OriginPolicy): MiddlewareHandler {
  return cors({
    origin: (origin) => (origin !== '' && maySee(origin) ? origin : null),
    allowMethods: ['GET', 'HEAD', 'POST', 'DELETE'],
    allowHeaders: [
      'Authorization',
      'Content-Type',
      ...CLOUD_EVENT_HEADERS,
      'If-None-Match',
      'Last-Event-ID',
      ...TRACING_HEADERS,
    ],
    exposeHeaders: ['ETag', 'Retry-After', ...TRACING_HEADERS],
    maxAge: 600,
  })
}
