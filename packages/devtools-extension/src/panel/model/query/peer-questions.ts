/** What asks for peers: by name, kind, source or id. */
import type { KnownPeer } from '../peers.ts'
import type { SessionStore } from '../session.ts'
import { MANY } from '../store/entries.ts'
import { needed } from './matchers.ts'
import type { Op, Term, Value } from './parse.ts'
import type { Test } from './question.ts'

const PEER_WORDS: { readonly [word: string]: string } = {
  sw: 'service-worker',
  tab: 'page',
  page: 'page',
  iframe: 'iframe',
  worker: 'worker',
  node: 'node',
  deno: 'deno',
  bun: 'bun',
  relay: 'relay',
}

/** By index: whether a peer is one of those named. Judged anew when peers come or get other names. */
export function peerMatcher(term: Term, session: SessionStore): (index: number) => boolean {
  const tests = needed(term).map((value) => peerTest(value, term.op))
  let known = new Map<number, boolean>()
  let version = session.book.version
  return (index) => {
    if (version !== session.book.version) {
      version = session.book.version
      known = new Map()
    }
    let outcome = known.get(index)
    if (outcome === undefined) {
      const peer = session.book.at(index)
      outcome = peer !== undefined && tests.some((test) => test(peer))
      known.set(index, outcome)
    }
    return outcome
  }
}

function peerTest({ text, regex }: Value, op: Op): (peer: KnownPeer) => boolean {
  if (regex) return (peer) => regex.test(peer.name) || regex.test(peer.id)
  const wanted = text.toLowerCase()
  if (op === '=') return (peer) => peer.id === text || peer.name.toLowerCase() === wanted
  const kind = Object.hasOwn(PEER_WORDS, wanted) ? PEER_WORDS[wanted] : undefined
  return ({ id, name, hello }) => {
    if (id === text || hello.kind === kind || hello.source.toLowerCase() === wanted) return true
    // “tab 1” is not tab 10.
    const at = name.toLowerCase().indexOf(wanted)
    return at >= 0 && !(/\d$/.test(wanted) && /\d/.test(name[at + wanted.length] ?? ''))
  }
}

export function noteOfPeer(
  matches: (index: number) => boolean,
  session: SessionStore,
): Test['note'] {
  return ({ peer }) => {
    const known = peer === undefined ? undefined : session.book.find(peer)
    return known !== undefined && matches(known.index)
  }
}

/** Whether it came to a peer. */
export function reachedBy(
  entry: number,
  { entries, spans, ids, book }: SessionStore,
  matches: (index: number) => boolean,
): boolean {
  const bits = entries.handled[entry]! | entries.received[entry]! | entries.matched[entry]!
  for (const peer of book.all) {
    if (peer.index < 32 && (bits & (1 << peer.index)) !== 0 && matches(peer.index)) return true
  }
  if ((entries.flags[entry]! & MANY) === 0) return false
  const named = ids.spansOf(entries.ids[entry]!)
  for (let i = 0; i < named.length; i += 2) {
    const { peer, is, subs } = spans.facet(named[i]!)
    const reached = is === 'handled' || is === 'received' || (is === 'matched' && subs!.length > 0)
    if (reached && matches(peer)) return true
  }
  return false
}
