/**
 * Which pages may talk to the relay. Browsers let any page open a socket to any address, the
 * user's own machine included, so the origin is checked before an upgrade and on every route.
 */
import { BusError } from '@crosstown/bus/protocol'

/** Whether pages of an origin are served. */
export type OriginPolicy = (origin: string) => boolean

/**
 * The policy of a relay: the origins listed, `'*'` for all; without a list, pages of this machine.
 *
 * @throws {BusError} invalid_options
 */
export function originPolicy(origins: readonly string[] | undefined): OriginPolicy {
  if (origins === undefined) return isLoopbackOrigin
  const allowed = new Set<string>()
  for (const origin of origins) {
    if (origin !== '*' && !/^[a-z][a-z0-9+.-]*:\/\/[^/\s]+$/.test(origin)) {
      throw new BusError(
        'invalid_options',
        `${JSON.stringify(origin)} is not an origin; use 'https://shop.example' without a path, or '*'`,
      )
    }
    allowed.add(origin)
  }
  if (allowed.has('*')) return () => true
  return (origin) => allowed.has(origin)
}

/**
 * Whether an origin may inspect, where it is none that is served: pages of the relay's own, by the
 * name they came by, and browsers' extensions. None of them gets anything by who it is: the token
 * says it, and without auth the machine's own names are asked for before.
 */
export function mayAskToInspect(origin: string, host: string | undefined): boolean {
  const url = URL.canParse(origin) ? new URL(origin) : undefined
  if (url === undefined) return false
  return /^(chrome|moz|safari-web)-extension:$/.test(url.protocol) || url.host === host
}

/** Whether an origin is a web page of this machine, on whatever port. */
export function isLoopbackOrigin(origin: string): boolean {
  const url = URL.canParse(origin) ? new URL(origin) : undefined
  return url !== undefined && /^https?:$/.test(url.protocol) && isLoopbackHost(url.hostname)
}

/** Whether a host name can only mean this machine: localhost, 127.0.0.0/8, ::1. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, '')
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '::1' ||
    /^127(?:\.\d{1,3}){3}$/.test(name)
  )
}

/** The name in a `Host` header, without its port. */
export function hostName(header: string): string {
  return header.replace(/:\d+$/, '')
}
