/** Who makes a request: the address it is counted by, and whose token it brings. */
import { BusError } from '@crosstown/bus/protocol'
import type { Context } from 'hono'
import type { Identity } from '../auth.ts'
import { type Action, type Authorizing, identify } from '../authorize.ts'
import { addressOf } from '../guard/address.ts'
import { type RelayEnv, roomOf } from './env.ts'

/** What it is counted by; `undefined` where it is not to be counted. */
export type CallerAddress = (c: Context<RelayEnv>) => string | undefined

/**
 * Addresses behind so many proxies. Where none was said to be there and one is, that is reported, once.
 */
export function callerAddress(proxies: number, report: (error: unknown) => void): CallerAddress {
  let warned = false
  return (c) => {
    const forwarded = c.req.header('x-forwarded-for')
    if (forwarded !== undefined && proxies === 0 && !c.env?.direct && !warned) {
      warned = true
      const what =
        'a request came through a proxy: set trustProxy, or limits by address count all as one'
      report(new BusError('invalid_options', what))
    }
    return addressOf(c.env?.address, forwarded, proxies)
  }
}

/** What else than publishing a request may want to do, by its method. */
const READING: readonly Exclude<Action, 'publish'>[] = ['subscribe', 'history']
const ACTIONS: Readonly<Record<string, typeof READING>> = { POST: [], DELETE: ['delete'] }
/** The same of what is about groups, whatever the method. */
const OPERATING: typeof READING = ['groups', 'subscribe', 'history']

/** Whose request it is. @throws {BusError} invalid_room, unauthorized, forbidden, unavailable */
export async function identifyCaller(
  c: Context<RelayEnv>,
  authorizing: Authorizing,
): Promise<Identity> {
  const room = roomOf(c)
  const token = /^Bearer +(.+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
  const origin = c.req.header('origin')
  const isOfGroups = /^[^?]*\/rooms\/[^/]+\/groups(\/|$)/.test(c.req.path)
  const actions = isOfGroups ? OPERATING : (ACTIONS[c.req.method] ?? READING)
  const asked = { room, ...(origin !== undefined && { origin }) }
  return identify(authorizing, token, asked, actions)
}
