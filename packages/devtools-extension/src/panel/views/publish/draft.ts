/** What is being written in the publish view, kept while other views are looked at. */
import type { PeerId } from '@crosstown/bus/inspect'
import { decodeValue } from '@crosstown/bus/inspect'
import { literal } from '../../copy/literal.ts'
import { askHolders } from '../../copy/load.ts'
import type { EventRow, Hub } from '../../model/model.ts'
import { createStore, type Store } from '../../state/store.ts'
import { plural } from '../../ui/format.ts'

export interface Draft {
  readonly peer?: PeerId
  readonly type: string
  readonly data: string
  readonly scope: 'room' | 'device' | 'context'
  readonly persist: boolean
  readonly stream: string
  readonly correlationId: string
  readonly causationId: string
  /** What is different from the event this began as a copy of. */
  readonly note?: { readonly text: string; readonly trouble: boolean }
}

export const BLANK: Draft = {
  type: '',
  data: '',
  scope: 'room',
  persist: true,
  stream: '',
  correlationId: '',
  causationId: '',
}

export interface Sent {
  readonly id: string
  readonly peer: PeerId
  readonly type: string
  /** When it was published, by the wall clock of the panel. */
  readonly at: number
}

export interface Desk {
  readonly draft: Store<Draft>
  /** What was published from here, the newest first. */
  readonly sent: Store<readonly Sent[]>
}

const desks = new WeakMap<Hub, Desk>()

export function deskOf(hub: Hub): Desk {
  let desk = desks.get(hub)
  if (!desk) {
    desk = { draft: createStore(BLANK), sent: createStore<readonly Sent[]>([]) }
    desks.set(hub, desk)
  }
  return desk
}

/** A draft that publishes the same again; what of it could not be had is said in its note. */
export async function copyOf(hub: Hub, row: EventRow): Promise<Draft> {
  const { type, scope, stream, persist, correlationId, causationId } = row.event
  const publisher = hub.session.peers.get(row.publisher)
  const draft: Draft = {
    ...BLANK,
    ...(publisher && publisher.state === 'live' && { peer: row.publisher }),
    type,
    scope: scope ?? 'room',
    persist: persist !== false,
    stream: stream ?? '',
    correlationId: correlationId === row.id ? '' : (correlationId ?? ''),
    causationId: causationId ?? '',
  }
  try {
    const { text, encoding, redacted } = await askHolders(hub.session, row, (peer) =>
      hub.ask(peer, { what: 'text', event: row.id }),
    )
    const value = text === undefined ? undefined : decodeValue(text, encoding, row.event)
    const data = value === undefined ? '' : literal(value)
    const left = []
    if (redacted) left.push(`${plural(redacted, 'value')} of it are redacted at the source`)
    if (data.includes('/* a cycle */')) left.push('it contains itself, which no text can say')
    const note =
      left.length > 0
        ? { text: `A copy of ${row.id}, but ${left.join(', and ')}.`, trouble: true }
        : { text: `A copy of ${row.id}. It gets an id and a time of its own.`, trouble: false }
    return { ...draft, data, note }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return { ...draft, note: { text: `Its data could not be had: ${why}.`, trouble: true } }
  }
}
