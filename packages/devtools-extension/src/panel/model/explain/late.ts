/** Whether an event came late to a peer, against the others, and what it waited for. */
import type { LedgerEntry } from '../model.ts'
import type { Subject } from './subject.ts'
import { clockTime, duration } from './words.ts'

/** Nothing below is late, whatever the others did; ms. */
const LEAST_MS = 1_000
const TIMES = 5

/** In a sentence; `undefined` where it is not late. `delays`: of all that it came to, ms. */
export function lateWords(
  subject: Subject,
  { peer: id, name, after }: LedgerEntry,
  delays: readonly number[],
): string | undefined {
  if (after === undefined || after < LEAST_MS) return undefined
  const others = [...delays].sort((a, b) => a - b)
  const own = others.indexOf(after)
  if (own >= 0) others.splice(own, 1)
  const middle = others[Math.floor(others.length / 2)]
  if (middle !== undefined && after < middle * TIMES) return undefined
  const peer = subject.session.peers.get(id)
  const publisher = subject.publisher
  if (subject.session.uncertainty(subject.row.publisher, id) > after) return undefined
  const than = middle === undefined ? '' : `; others had it within ${duration(middle)}`
  const pause = [
    ...(peer ? pausesOf(subject, peer.device, id) : []),
    ...(publisher && publisher.device !== peer?.device
      ? pausesOf(subject, publisher.device, publisher.id)
      : []),
  ].find(({ from, to }) => from < subject.row.ms + after && (to ?? Infinity) > subject.row.ms)
  if (!pause) return `That is late${than}.`
  const what = pause.why === 'relay' ? 'was without the relay' : 'was frozen by the browser'
  const until = pause.to === undefined ? '' : ` to ${clockTime(pause.to)}`
  return `That is late${than}: ${pause.name === name ? 'it' : pause.name} ${what} from ${clockTime(pause.from)}${until}.`
}

function pausesOf({ session }: Subject, device: string, id: string) {
  return [...session.peers.values()]
    .filter((peer) => peer.id === id || peer.device === device)
    .flatMap((peer) =>
      peer.pauses
        .filter(({ why }) => why === 'relay' || peer.id === id)
        .map((pause) => ({ ...pause, name: peer.name })),
    )
}
