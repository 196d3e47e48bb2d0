/** An event as text for elsewhere: JSON, the code that publishes it, the curl that posts it. */
import type { InspectedEvent } from '@crosstown/bus/inspect'
import { literal, text } from './literal.ts'

/** The event as JSON, readable. What JSON has no form for is written as text: dates, bigints, bytes. */
export function asJson(event: InspectedEvent, data: unknown): string {
  const { encoding: _, bytes: __, group: ___, expected: ____, ...envelope } = event
  return JSON.stringify({ ...envelope, data: plain(data, []) }, undefined, 2)
}

/** The statement that publishes the same once more. */
export function asCode(event: InspectedEvent, data: unknown): string {
  const options = {
    ...(event.stream !== undefined && { stream: event.stream }),
    ...(event.scope !== undefined && { scope: event.scope }),
    ...(event.persist === false && { persist: false }),
  }
  const rest = Object.keys(options).length === 0 ? [] : [literal(options)]
  const middle = data === undefined && rest.length === 0 ? [] : [literal(data)]
  return `await bus.publish(${[text(event.type), ...middle, ...rest].join(', ')})\n`
}

/** The command that posts it to a room; for data that is plain JSON. */
export function asCurl(
  event: InspectedEvent,
  data: unknown,
  relay: { readonly url: string; readonly room: string },
): string {
  const base = new URL(relay.url)
  base.protocol = base.protocol.replace('ws', 'http')
  const address = `${base.href.replace(/[?#].*$/, '').replace(/\/$/, '')}/rooms/${encodeURIComponent(relay.room)}/events`
  const body = {
    type: event.type,
    ...(data !== undefined && { data }),
    ...(event.stream !== undefined && { stream: event.stream }),
    ...(event.correlationId !== undefined && { correlationId: event.correlationId }),
    ...(event.causationId !== undefined && { causationId: event.causationId }),
    ...(event.version !== undefined && { version: event.version }),
  }
  const loopback = /^(localhost|127\.|\[::1\])/.test(base.hostname)
  return [
    `curl ${shellQuoted(address)}`,
    // In double quotes: the shell puts the token in.
    ...(loopback ? [] : ['-H "Authorization: Bearer $CROSSTOWN_TOKEN"']),
    `-H ${shellQuoted('Content-Type: application/json')}`,
    `--data-raw ${shellQuoted(JSON.stringify(body))}`,
  ].join(' \\\n  ')
}

/** A word of a POSIX shell, whatever is in it. */
export function shellQuoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

/** What JSON can carry of a value. */
function plain(value: unknown, inside: readonly object[]): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (inside.includes(value)) return '[cycle]'
  const within = [...inside, value]
  const child = (of: unknown): unknown => plain(of, within)
  if (Array.isArray(value)) return Array.from(value, child)
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (value instanceof RegExp || value instanceof URL) return String(value)
  if (value instanceof Map)
    return [...value.keys()].every((key) => typeof key === 'string')
      ? Object.fromEntries([...value].map(([key, of]) => [key, child(of)]))
      : [...value].map(([key, of]) => [child(key), child(of)])
  if (value instanceof Set) return [...value].map(child)
  if (value instanceof ArrayBuffer) return [...new Uint8Array(value)]
  if (value instanceof DataView)
    return [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)]
  if (ArrayBuffer.isView(value))
    return Array.from(value as unknown as Iterable<number | bigint>, child)
  return Object.fromEntries(Object.entries(value).map(([key, of]) => [key, child(of)]))
}
