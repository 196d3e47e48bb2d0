/** What a draft asks a peer to publish, or what is wrong with it. */
import { type Ask, encodeValue } from '@crosstown/bus/inspect'
import { isEventType, typeMatcher } from '@crosstown/bus/protocol'
import type { Peer } from '../../model/model.ts'
import { list, plural } from '../shared/format.ts'
import type { Draft } from './draft.ts'
import { parseLiteral } from './parse.ts'

export interface Order {
  readonly ask?: Extract<Ask, { what: 'publish' }>
  readonly faults: {
    readonly type?: string
    readonly data?: { readonly text: string; readonly at?: number }
    readonly stream?: string
  }
}

const MAX_BYTES = 256 * 1024

export function orderOf(draft: Draft): Order {
  const type = draft.type.trim()
  const typeFault = isEventType(type)
    ? undefined
    : 'A type is segments of letters, digits, _ and -, with dots between: cart.item_added.'
  const streamFault =
    draft.stream.length > 256 ? 'The name of a stream has at most 256 characters.' : undefined
  const parsed = parseLiteral(draft.data)
  if (parsed.fault) {
    const { line, column, message, at } = parsed.fault
    const text = `Line ${line}, column ${column}: ${message}.`
    return {
      faults: {
        ...(typeFault && { type: typeFault }),
        ...(streamFault && { stream: streamFault }),
        data: { text, at },
      },
    }
  }
  const encoded = encode(parsed.value, type)
  const faults = {
    ...(typeFault && { type: typeFault }),
    ...(streamFault && { stream: streamFault }),
    ...('fault' in encoded && { data: { text: encoded.fault } }),
  }
  if ('fault' in encoded || Object.keys(faults).length > 0) return { faults }
  return { faults, ask: { what: 'publish', type, ...encoded, options: optionsOf(draft) } }
}

function encode(
  value: unknown,
  type: string,
): { data?: string; encoding?: 'devalue' } | { fault: string } {
  if (value === undefined) return {}
  try {
    const { text, encoding } = encodeValue(value, type)
    const size = new TextEncoder().encode(text).length
    if (size > MAX_BYTES)
      return { fault: `The data is ${Math.ceil(size / 1024)} KiB; an event has at most 256.` }
    return { data: text, ...(encoding && { encoding }) }
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) }
  }
}

function optionsOf(draft: Draft): NonNullable<Extract<Ask, { what: 'publish' }>['options']> {
  const { scope, persist } = draft
  return {
    ...(scope !== 'room' && { scope }),
    ...(!persist && scope !== 'context' && { persist }),
    ...(draft.stream !== '' && { stream: draft.stream }),
    ...(draft.correlationId !== '' && { correlationId: draft.correlationId.trim() }),
    ...(draft.causationId !== '' && { causationId: draft.causationId.trim() }),
  }
}

/** Who would hear a type: said before it is published. */
export function audienceInWords(
  type: string,
  scope: Draft['scope'],
  through: Peer,
  peers: Iterable<Peer>,
): string {
  const hearing: string[] = []
  let subscriptions = 0
  for (const peer of peers) {
    if (peer.state === 'gone' || peer.state === 'mismatch') continue
    if (scope === 'context' && peer.id !== through.id) continue
    if (scope === 'device' && peer.device !== through.device) continue
    const matching = [...peer.subscriptions.values()].filter(
      ({ ended, patterns }) => ended === undefined && typeMatcher(patterns)(type),
    )
    if (matching.length === 0) continue
    subscriptions += matching.length
    hearing.push(peer.name)
  }
  if (hearing.length === 0) return 'Nobody that is inspected subscribes to this type.'
  const names =
    hearing.length > 4
      ? `${hearing.slice(0, 3).join(', ')} and ${hearing.length - 3} more`
      : list(hearing)
  return `${plural(subscriptions, 'subscription')} would hear it, in ${names}.`
}
