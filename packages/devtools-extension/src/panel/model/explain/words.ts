/** How conclusions are worded: subscriptions, links, codes and lists, the same everywhere. */
import type { SubscriptionInfo, Via } from '@crosstown/bus/inspect'
import { duration } from '../../ui/format.ts'

export { clockTime, duration, plural } from '../../ui/format.ts'

/** `a`, `a and b`, `a, b and c`, `a, b, c and 5 more`. */
export function listed(items: readonly string[], most = 4): string {
  const shown = items.length > most ? items.slice(0, most - 1) : items.slice(0, -1)
  const last = items.length > most ? `${items.length - shown.length} more` : items.at(-1)
  return shown.length === 0 ? (last ?? '') : `${shown.join(', ')} and ${last}`
}

type Described = Pick<SubscriptionInfo, 'kind' | 'patterns' | 'site'>

/** `the handler of order.* (src/cart.ts:12:5)`. */
export function subscriptionWords({ kind, patterns, site }: Described): string {
  return `${KINDS[kind]} ${listed(patterns, 6)}${siteWords(site)}`
}

/** ` (src/cart.ts:12:5)`: the end of the way to a file; all of it is in the list of subscriptions. */
export function siteWords(site: string | undefined): string {
  if (site === undefined) return ''
  const [, path = site, place = ''] = /^(.*?)((?::\d+){1,2})$/.exec(site) ?? []
  const file = path.replace(/[?#].*$/, '')
  return ` (${file.split('/').slice(-2).join('/')}${place})`
}

const KINDS: { readonly [Kind in SubscriptionInfo['kind']]: string } = {
  handler: 'the handler of',
  once: 'the once() for',
  loop: 'the loop over',
  view: 'the projection of',
}

export function viaWords(via: Via | undefined): string {
  return via === undefined ? '' : VIAS[via]
}

const VIAS: { readonly [V in Via]: string } = {
  tabs: ' over the channel between tabs',
  relay: ' over the relay',
  log: ' by reading the log',
  link: ' over a link',
}

/** `3.1 ms`, `3.1 ms (± 2.0 ms)`. */
export function measured(ms: number, plusMinus = 0): string {
  const known = Number.isFinite(plusMinus) && plusMinus >= 2
  return known ? `${duration(ms)} (± ${duration(plusMinus)})` : duration(ms)
}

/** What a refusal means, and what to do. */
export function refusalWords(code: string | undefined, type: string): string {
  return (REFUSALS[code ?? ''] ?? ((_: string) => `Its code is ${code ?? 'not known'}.`))(type)
}

const REFUSALS: { readonly [code: string]: (type: string) => string } = {
  forbidden: (type) =>
    `The publisher’s token does not allow publishing ${type}: give it the right in rights.publish.`,
  conflict: () =>
    'Its expectedRevision did not hold, the stream had gone on: load the stream again and publish anew.',
  too_large: () =>
    'It is larger than allowed: put the large part elsewhere and publish a link to it.',
  schema_failed: () => 'Its data does not match the schema of its type: publish data that does.',
  invalid_type: () => 'Its type is not an event type.',
  invalid_data: () => 'Its data holds something that would not come out the same everywhere.',
  invalid_options: () => 'Something in its envelope is not what it must be.',
  subject_changed: () =>
    'The log belongs to another user: bus.clear() before somebody else signs in.',
  unauthorized: () => 'The token is missing or not accepted: sign in anew.',
  token_expired: () => 'The token has ended: give relayLink a fresh one.',
  rate_limited: () => 'Too much came in a short time: publish less often, or in batches.',
  unavailable: () => 'The relay, or its store, could not do it: look at the relay’s log.',
  out_of_order: () => 'It came before the batch it builds on, and is sent again in order.',
}

export function quoted(text: string): string {
  return `“${text}”`
}

export function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
