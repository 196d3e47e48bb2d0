/** What there is to say of a peer, in words. */
import { INSPECT_VERSION, type PeerStatus, type SubscriptionInfo } from '@crosstown/bus/inspect'
import type { Peer } from '../../model/model.ts'
import { bytes, duration, plural } from '../shared/format.ts'

export const KINDS: { readonly [kind in Peer['hello']['kind']]: string } = {
  page: 'page',
  iframe: 'frame',
  worker: 'worker',
  'service-worker': 'service worker',
  node: 'Node process',
  deno: 'Deno process',
  bun: 'Bun process',
  relay: 'relay',
}

export const STATES: {
  readonly [state in Peer['state']]: { sign: string; text: string; title: string }
} = {
  live: { sign: '●', text: 'live', title: 'It answers' },
  silent: { sign: '◐', text: 'silent', title: 'Not heard for a while: frozen, put away, or busy' },
  gone: { sign: '○', text: 'gone', title: 'Its page was closed, or its process ended' },
  mismatch: {
    sign: '⚠',
    text: 'other version',
    title: 'It speaks another version of the inspection protocol',
  },
}

const RELAY: { readonly [state in PeerStatus['relay']]: string } = {
  off: 'no relay',
  connecting: 'connecting',
  online: 'online',
  offline: 'offline',
  refused: 'refused',
}

/** The state of the connection to the relay; of a context that does not lead, whose it uses. */
export function relayInWords({ status, hello }: Peer): string {
  if (hello.kind === 'relay') return ''
  if (status.relay === 'off' && hello.relay && !status.lead.self) return 'through its leader'
  if (status.relay === 'online' && status.rtt !== undefined)
    return `online, ${duration(status.rtt)}`
  return RELAY[status.relay]
}

/** What waits in it, where anything does. */
export function waitingInWords({ status }: Peer): string {
  const { pending, refused } = status.outbox
  const parts: string[] = []
  if (status.queued > 0) parts.push(`${status.queued} in the pipeline`)
  if (pending > 0) parts.push(`${pending} for the relay`)
  if (refused > 0) parts.push(`${refused} refused`)
  return parts.join(', ')
}

/** Which side is the older one, and what to do. */
export function mismatchInWords({ name, hello }: Peer): string {
  const theirs = hello.inspect
  return theirs > INSPECT_VERSION
    ? `${name} runs Crosstown ${hello.library}, which speaks version ${theirs} of the inspection protocol; this panel speaks ${INSPECT_VERSION}. Update the extension.`
    : `${name} runs Crosstown ${hello.library}, which speaks version ${theirs} of the inspection protocol; this panel speaks ${INSPECT_VERSION}. Update @crosstown/bus in the page.`
}

export function clockInWords({ skew: { ms, uncertainty } }: Peer): string {
  if (!Number.isFinite(uncertainty)) return 'not known'
  if (Math.abs(ms) < 0.5) return uncertainty >= 2 ? `as here ± ${duration(uncertainty)}` : 'as here'
  return `${ms < 0 ? '−' : '+'}${duration(Math.abs(ms))} ± ${duration(uncertainty)}`
}

export function logInWords({ status: { log } }: Peer): string {
  if (log.kind === 'none') return 'none'
  return `${log.kind}${log.state === 'open' ? '' : `, ${log.state}`}${log.bytes > 0 ? `, ${bytes(log.bytes)} written` : ''}`
}

export function subscriptionInWords({ patterns, kind, where }: SubscriptionInfo): string {
  return `${patterns.join(', ')} (${kind}${where ? ', with a where' : ''})`
}

export function callsInWords({ calls, failures }: SubscriptionInfo): string {
  if (calls === 0) return 'never called'
  return `${plural(calls, 'call')}${failures > 0 ? `, ${failures} failed` : ''}`
}
