/** Why nothing was heard of an event at a peer. */
import type { Peer, Step } from '../model.ts'
import { tooLate } from './arrived.ts'
import { isThere, type Listener, listenersOf, takes } from './matching.ts'
import { reachOf } from './reach.ts'
import { apartSince, missedAt, type Subject } from './subject.ts'
import { nearWords, numbers, type Verdict } from './verdict.ts'
import {
  capital,
  clockTime,
  duration,
  listed,
  plural,
  refusalWords,
  subscriptionWords,
} from './words.ts'

/** How long an event may be on its way before it is missed, ms. */
const PATIENCE_MS = 2_000

/** `undefined` where the event has nothing to do with the peer. */
export function absenceVerdict(subject: Subject, peer: Peer): Verdict | undefined {
  const { session, row, type } = subject
  const all = listenersOf(session, peer, type)
  if (all.length === 0) return nearVerdict(subject, peer)
  const subs = numbers(all.map(({ sub }) => sub))
  const reach = reachOf(subject, peer)
  if (reach.over === undefined)
    return { outcome: 'wrong_scope', why: reach.why, expected: false, subs }
  const there = all.filter((listener) => isThere(listener, row.ms))
  if (there.length === 0) return notThen(subject, peer, all)
  const away = awayVerdict(subject, peer, there)
  if (away) return away
  const expecting = { expected: true, subs: numbers(there.map(({ sub }) => sub)) }
  const stopped = stoppedAtPublisher(subject, peer)
  if (stopped) return { ...stopped, ...expecting }
  if (reach.over === 'relay') {
    const verdict = overRelay(subject, peer)
    // Who may not read it is not one that should have got it.
    return { ...verdict, ...expecting, expected: verdict.outcome !== 'no_right' }
  }
  return { ...missing(subject, peer, there, reach.over), ...expecting }
}

type Outcome = Pick<Verdict, 'outcome' | 'why'>

/** It has nothing that takes the type, but perhaps something that nearly does. */
function nearVerdict(subject: Subject, peer: Peer): Verdict | undefined {
  if (reachOf(subject, peer).over === undefined) return undefined
  const near = nearWords(subject.type, peer)
  if (near === '') return undefined
  return {
    outcome: 'not_subscribed',
    why: `Nothing in ${peer.name} subscribes to ${subject.type}.${near}`,
    expected: false,
    subs: [],
  }
}

/** It listens to the type at other times. */
function notThen(
  subject: Subject,
  peer: Peer,
  listeners: readonly Listener[],
): Verdict | undefined {
  const late = tooLate(subject, peer, listeners, subject.row.ms)
  if (late) return late
  const ended = listeners.findLast(({ to }) => to <= subject.row.ms)
  if (!ended) return undefined
  const words = subscriptionWords(ended.sub)
  return {
    outcome: 'not_subscribed',
    why: `${peer.name} did not listen any more: ${words} had ended ${duration(subject.row.ms - ended.to)} before ${subject.type} was published.`,
    expected: false,
    subs: [ended.sub.sub],
  }
}

/** It was not there, or not heard, at the time. */
function awayVerdict(
  subject: Subject,
  peer: Peer,
  there: readonly Listener[],
): Verdict | undefined {
  const { row } = subject
  const { name, goneAt } = peer
  const subs = numbers(there.map(({ sub }) => sub))
  const gone = { outcome: 'offline', expected: false, subs } as const
  const kept = row.event.persist !== false && peer.device !== subject.device
  if (goneAt !== undefined && peer.cut && kept) {
    const lost =
      goneAt <= row.ms
        ? `${name} has not been connected to the relay since ${clockTime(goneAt)}, ${duration(row.ms - goneAt)} before the event was published`
        : `${name} lost the relay ${duration(goneAt - row.ms)} after the event was published, and was not heard to get it before`
    return { ...gone, why: `${lost}: the room keeps the event, and sends it when ${name} is back.` }
  }
  if (goneAt !== undefined && goneAt <= row.ms)
    return {
      ...gone,
      why: `${name} was gone: it was closed or left at ${clockTime(goneAt)}, ${duration(row.ms - goneAt)} before the event was published.`,
    }
  const away = peer.away.find(({ from, to }) => from <= row.ms && row.ms < to)
  if (away)
    return {
      ...gone,
      why: `${name} was away from ${clockTime(away.from)} to ${clockTime(away.to)}, when the event was published. Replay it from the log to see it there.`,
    }
  if (goneAt !== undefined && goneAt - row.ms < PATIENCE_MS)
    return {
      ...gone,
      why: `${name} went ${duration(goneAt - row.ms)} after the event was published, before it came.`,
    }
  const from = peer.firstAt === undefined ? peer.since : subject.session.msOf(peer.id, peer.firstAt)
  if (from > row.ms)
    return {
      ...gone,
      outcome: 'unknown',
      why: `This panel captures ${name} only since ${clockTime(from)}, ${duration(from - row.ms)} after ${subject.timed ? 'the event was published' : 'it first heard of the event'}: whether it came there is not known.`,
    }
  if (missedAt(subject, peer))
    return {
      ...gone,
      outcome: 'unknown',
      why: `What happened in ${name} around that time is lost to this panel: whether it came there is not known.`,
    }
  return undefined
}

/** What kept the event from leaving at all. */
export function stoppedAtPublisher(subject: Subject, peer: Peer): Outcome | undefined {
  const { row, publisherName, refused, type } = subject
  const steps = subject.stepsAt(row.publisher)
  const dropped = (why: string): Step | undefined =>
    steps.find((step) => step.is === 'dropped' && step.why === why)
  if (dropped('withdrawn'))
    return {
      outcome: 'dropped',
      why: `${publisherName} could not write it to its log and withdrew it: publish() rejected, and nobody got the event. Look at the errors of ${publisherName}.`,
    }
  if (dropped('closed'))
    return {
      outcome: 'dropped',
      why: `The bus of ${publisherName} was closed before the event left it.`,
    }
  if (dropped('fault'))
    return {
      outcome: 'dropped',
      why: `A fault set in this panel dropped it at ${publisherName}: take the fault away.`,
    }
  if (dropped('offline') && peer.device !== subject.device)
    return {
      outcome: 'dropped',
      why: `${publisherName} could not reach the relay, and the event was published with persist: false: such events are dropped rather than kept. Publish it without persist: false to have it sent later.`,
    }
  const sameDevice = peer.device === subject.device
  const inLog = steps.some(({ is }) => is === 'committed')
  if (refused && (!sameDevice || !inLog)) {
    const by = subject.session.peers.get(refused.peer)
    const who = by?.hello.kind === 'relay' || inLog ? 'the relay' : 'the log'
    return {
      outcome: 'refused',
      why: `${capital(who)} refused ${type} of ${publisherName} (${refused.code}), so it never came to ${peer.id === row.publisher ? 'any handler' : peer.name}. ${refusalWords(refused.code, type)}`,
    }
  }
  return undefined
}

/** It has to come over the relay, and did not. */
function overRelay(subject: Subject, peer: Peer): Outcome {
  const { type, publisherName } = subject
  const told = subject.atRelay.find(
    ({ is, to }) => is === 'dropped' && to !== undefined && to === peer.hello.device,
  )
  const rights = rightsOf(subject, peer)
  if (told?.why === 'no_right' || (rights !== undefined && !takes(rights, type)))
    return {
      outcome: 'no_right',
      why: `${told ? 'The relay did not send it: the' : 'The'} token of ${peer.name} does not allow reading ${type}${rights === undefined ? '' : `, only ${rights.length === 0 ? 'nothing at all' : listed(rights)}`}. Give its token the right in rights.subscribe.`,
    }
  if (told?.why === 'unwanted')
    return {
      outcome: 'missing',
      why: `The relay did not send it: the device of ${peer.name} asks the relay for other types only, ${type} is not one of them.`,
    }
  if (told)
    return {
      outcome: 'dropped',
      why: `The relay dropped it: the socket of ${peer.name} had too much to take already. Events published with persist: false are not sent again.`,
    }
  const waiting = outboxVerdict(subject)
  if (waiting) return waiting
  const apart = apartSince(subject.session, peer.device)
  if (apart) {
    const what = apart.leader.status.relay
    const since = apart.since === undefined ? '' : ` since ${clockTime(apart.since)}`
    const still = `${peer.name} is without the relay${since} (${what}${errorWords(apart.leader)})`
    return subject.row.event.persist === false
      ? {
          outcome: 'offline',
          why: `${still}. The event was published with persist: false and is not kept for it.`,
        }
      : {
          outcome: 'offline',
          why: `${still}: the room keeps the event, and sends it when ${peer.name} is back.`,
        }
  }
  const posted = subject.atRelay.some(
    ({ is, to }) => is === 'posted' && to !== undefined && to === peer.hello.device,
  )
  if (posted) {
    const route = `The relay sent it to the device of ${peer.name}`
    return onItsWay(subject, `${route}.`) ?? lost(subject, peer, `${route}, but`)
  }
  const route = !subject.sent
    ? `Nobody captured whether ${publisherName} sent it`
    : subject.timed
      ? `It was sent by ${publisherName}${subject.confirmed ? ' and is in the room' : ''}`
      : 'It is in the room'
  return onItsWay(subject, `${route}.`) ?? lost(subject, peer, `${route}, but`)
}

function rightsOf(subject: Subject, peer: Peer): readonly string[] | undefined {
  for (const other of subject.session.peers.values()) {
    if (other.device === peer.device && other.status.rights) return other.status.rights.subscribe
  }
  return undefined
}

/** It waits on the publisher's device. */
export function outboxVerdict(subject: Subject): Outcome | undefined {
  const { confirmed, row, publisherName, device, session, now } = subject
  if (confirmed || subject.atRelay.some(({ is }) => is === 'received')) return undefined
  // Nobody captured its publisher then: it may have been sent long ago.
  if (row.state === 'unknown') return undefined
  const apart = apartSince(session, device)
  if (apart) {
    const { leader, since } = apart
    const from = since === undefined ? '' : ` since ${clockTime(since)}`
    const how = { offline: 'offline', connecting: 'connecting', refused: 'refused by the relay' }[
      leader.status.relay as 'offline' | 'connecting' | 'refused'
    ]
    const next =
      leader.status.relay === 'refused'
        ? 'and is not sent before that is mended'
        : 'and is sent by itself when the relay is back'
    return {
      outcome: 'waiting',
      why: `${publisherName} is ${how}${from}${errorWords(leader)}: the event waits in the outbox of its device, ${next}.`,
    }
  }
  if (subject.sent) return undefined
  const leads = [...session.peers.values()].some(
    (peer) => peer.device === device && peer.state !== 'gone' && peer.status.leader,
  )
  const waited = duration(Math.max(0, now - row.ms))
  if (device !== undefined && !leads && now - row.ms > PATIENCE_MS)
    return {
      outcome: 'waiting',
      why: `No context leads the device of ${publisherName}, so nobody there holds the connection to the relay: the event waits in its outbox, for ${waited} so far. Open or show one of its pages.`,
    }
  return {
    outcome: 'waiting',
    why: `It waits in the outbox of ${publisherName}’s device to be sent to the relay, for ${waited} so far.`,
  }
}

function errorWords({ status: { error } }: Peer): string {
  return error === undefined ? '' : `: ${error.message}`
}

function missing(
  subject: Subject,
  peer: Peer,
  there: readonly Listener[],
  over: 'self' | 'tabs',
): Outcome {
  if (over === 'self')
    return (
      onItsWay(subject, `${peer.name} has just published it.`) ?? {
        outcome: 'missing',
        why: `${peer.name} published it and subscribes to it, but was not heard to give it to its handlers.${lostWords(peer)}`,
      }
    )
  const { publisherName } = subject
  const words = subscriptionWords((there[0] as Listener).sub)
  const route = `${publisherName} told the other contexts of its device`
  return (
    onItsWay(subject, `${route}.`) ??
    lost(subject, peer, `${capital(words)} in ${peer.name} should have run, but`)
  )
}

function onItsWay({ row, now }: Subject, how: string): Outcome | undefined {
  const ms = now - row.ms
  if (ms >= PATIENCE_MS) return undefined
  return { outcome: 'waiting', why: `${how} It is on its way, for ${duration(Math.max(0, ms))}.` }
}

/** It should have come, and there is no word of it. */
function lost({ row, now }: Subject, peer: Peer, but: string): Outcome {
  const frozen = peer.pauses.find(
    ({ why, from, to }) => why === 'frozen' && from <= now && (to === undefined || to > row.ms),
  )
  if (frozen && frozen.to === undefined)
    return {
      outcome: 'waiting',
      why: `${peer.name} has been frozen by the browser since ${clockTime(frozen.from)}: it reads the event from the log when its page is shown again.`,
    }
  const silence =
    peer.state === 'silent'
      ? ` ${peer.name} has said nothing since ${clockTime(peer.lastHeard)}: its page may be frozen, blocked by a long task, or gone.`
      : ''
  return {
    outcome: 'missing',
    why: `${but} nothing was heard of it there for ${duration(now - row.ms)}.${silence}${lostWords(peer)}`,
  }
}

function lostWords(peer: Peer): string {
  return peer.lost === 0
    ? ''
    : ` ${plural(peer.lost, 'record')} of ${peer.name} were lost, so it may have come.`
}
