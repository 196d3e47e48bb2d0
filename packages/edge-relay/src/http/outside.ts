/**
 * The routes that are about no room, where each room is a relay of its own and nothing is the whole of
 * them: what stands before the rooms answers these.
 */
import { resolveLimits } from '../limits.ts'
import type { RelayOptions } from '../options.ts'
import { VERSION } from '../version.ts'
import { openApi } from './openapi.ts'

/** What can be said without a room; `undefined` of all other paths. */
export function answerOutside(
  pathname: string,
  options: () => Pick<RelayOptions, 'auth' | 'limits'>,
): Response | undefined {
  if (pathname === '/health') return Response.json({ status: 'ok' })
  // Nothing drains here, and whether a room's store answers is known in the room only.
  if (pathname === '/ready') return Response.json({ status: 'ready' })
  if (pathname === '/openapi.json') {
    const { auth, limits } = options()
    const of = { version: VERSION, limits: resolveLimits(limits), auth: auth !== undefined }
    return Response.json(openApi(of))
  }
  if (pathname !== '/metrics') return undefined
  const message =
    'there are no metrics where each room is a Durable Object: see the metrics that Cloudflare keeps of it'
  return Response.json({ error: { code: 'not_found', message } }, { status: 404 })
}
