/** The whole data of an event, from whoever has it. */
import { decodeValue } from '@crosstown/bus/inspect'
import type { EventRow, Hub, Session } from '../model/model.ts'

/**
 * Peers that may have the data of an event, the likeliest first: who published it, then those it came
 * to. Peers that are gone cannot be asked.
 */
export function holders(session: Session, row: EventRow): string[] {
  const found = new Set([row.publisher])
  for (const step of session.steps(row.id))
    if (step.is !== 'posted' && step.is !== 'dropped') found.add(step.peer)
  return [...found].filter((peer) => {
    const known = session.peers.get(peer)
    return known !== undefined && known.state !== 'gone' && known.state !== 'mismatch'
  })
}

/** Asks the holders of an event, one after the other, until one answers. */
export async function askHolders<Result>(
  session: Session,
  row: EventRow,
  ask: (peer: string) => Promise<Result>,
): Promise<Result> {
  let failure: unknown
  for (const peer of holders(session, row)) {
    try {
      return await ask(peer)
    } catch (error) {
      failure ??= error
    }
  }
  throw failure ?? new Error('Nobody who has it is there any more: its peers are gone')
}

export async function loadData(hub: Hub, row: EventRow): Promise<unknown> {
  const { text, encoding } = await askHolders(hub.session, row, (peer) =>
    hub.ask(peer, { what: 'text', event: row.id }),
  )
  return text === undefined ? undefined : decodeValue(text, encoding, row.event)
}
