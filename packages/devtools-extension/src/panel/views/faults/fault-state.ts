/** Faults that contexts are asked to have, until they end by themselves; one for each context. */
import type { Fault, PeerId } from '@crosstown/bus/inspect'
import { isPattern } from '@crosstown/bus/protocol'
import type { Hub } from '../../model/model.ts'
import { createStore, type Store } from '../../state/store.ts'
import { duration, list, share } from '../shared/format.ts'

export interface Faulty {
  readonly peer: PeerId
  readonly fault: Fault
  /** When it ends, by `Date.now()`; absent where another inspector set it. */
  readonly until?: number
}

const stores = new WeakMap<Hub, Store<ReadonlyMap<PeerId, Faulty>>>()

export function faultsOf(hub: Hub): Store<ReadonlyMap<PeerId, Faulty>> {
  let store = stores.get(hub)
  if (!store) {
    store = createStore<ReadonlyMap<PeerId, Faulty>>(new Map())
    stores.set(hub, store)
  }
  return store
}

/** Puts a fault in force, or ends the one there is. Rejects as `ask` does. */
export async function setFault(hub: Hub, peer: PeerId, fault: Fault | null): Promise<void> {
  const gone = hub.session.peers.get(peer)?.state === 'gone'
  const answer = gone
    ? { fault: null }
    : await hub.ask<'fault'>(peer, { what: 'fault', set: fault })
  keep(hub, peer, answer.fault, Date.now())
}

/** Asks what is in force: after the panel was opened anew, say. */
export async function learnFault(hub: Hub, peer: PeerId): Promise<void> {
  if (faultsOf(hub).get().has(peer)) return
  const { fault } = await hub.ask<'fault'>(peer, { what: 'fault' })
  if (fault) keep(hub, peer, fault)
}

function keep(hub: Hub, peer: PeerId, fault: Fault | null, now?: number): void {
  const store = faultsOf(hub)
  store.update((before) => {
    const after = new Map(before)
    if (fault)
      after.set(peer, { peer, fault, ...(now !== undefined && { until: now + fault.forMs }) })
    else after.delete(peer)
    return after
  })
}

/** Forgets what has ended by itself. */
export function endExpired(hub: Hub, now: number): void {
  const store = faultsOf(hub)
  const left = [...store.get().values()].filter(({ until = Infinity }) => until > now)
  if (left.length < store.get().size) store.set(new Map(left.map((one) => [one.peer, one])))
}

const LINKS: { readonly [link in Fault['link']]: string } = {
  tabs: 'between it and the other contexts of its device',
  relay: 'between it and the relay',
}

/** What a fault does, as a sentence without its subject: `loses half of …`. */
export function faultInWords({
  link,
  do: what,
  patterns,
  share: part = 1,
  delayMs = 1_000,
}: Fault): string {
  if (what === 'cut' && !patterns)
    return link === 'relay'
      ? 'is cut off from the relay'
      : 'is cut off from the other contexts of its device'
  const many = part < 1 ? `${share(part, 1)} of ` : ''
  const which = patterns ? `what has events of ${list(patterns)}` : 'everything'
  const verb = { drop: 'loses', cut: 'loses', delay: 'delays', duplicate: 'doubles' }[what]
  const by = what === 'delay' ? ` by ${duration(delayMs)}` : ''
  return `${verb} ${many}${which} ${LINKS[link]}${by}`
}

export interface FaultForm {
  readonly link: Fault['link']
  readonly do: Fault['do']
  readonly patterns: string
  readonly delayMs: string
  readonly percent: string
  readonly seconds: string
}

export const BLANK_FAULT: FaultForm = {
  link: 'relay',
  do: 'cut',
  patterns: '',
  delayMs: '1000',
  percent: '100',
  seconds: '30',
}

/** The fault that a form describes, or what is wrong with it. */
export function faultOf(form: FaultForm): Fault | { readonly wrong: string } {
  const patterns = form.patterns.split(/[\s,]+/).filter(Boolean)
  const bad = patterns.find((pattern) => !isPattern(pattern))
  if (bad !== undefined) return { wrong: `“${bad}” is not a pattern.` }
  const percent = Number(form.percent)
  if (!(percent > 0 && percent <= 100))
    return { wrong: 'Between 1 and 100 percent can be concerned.' }
  const delayMs = Number(form.delayMs)
  if (form.do === 'delay' && !(delayMs > 0 && delayMs <= 60_000))
    return { wrong: 'A delay is between 1 and 60,000 ms.' }
  return {
    link: form.link,
    do: form.do,
    forMs: Number(form.seconds) * 1000,
    ...(patterns.length > 0 && { patterns }),
    ...(form.do === 'delay' && { delayMs }),
    ...(percent < 100 && form.do !== 'cut' && { share: percent / 100 }),
  }
}
