/** What a relay did with an event. */
import type { Peer, Step } from '../model.ts'
import type { Subject } from './subject.ts'
import type { Verdict } from './verdict.ts'
import { clockTime, listed, measured, plural, refusalWords } from './words.ts'

export function relayVerdict(
  subject: Subject,
  relay: Peer,
  steps: readonly Step[],
): Verdict | undefined {
  if (steps.length === 0) return undefined
  const { row, session, publisherName, type } = subject
  const received = steps.find(({ is }) => is === 'received')
  const refused = steps.find(({ is, final }) => is === 'refused' && final === true)
  const put = steps.findLast(({ is, final }) => is === 'refused' && final !== true)
  const confirmed = steps.find(({ is }) => is === 'confirmed')
  const after = Math.max(0, (received ?? (steps[0] as Step)).ms - row.ms)
  const base = {
    via: 'relay',
    expected: false,
    subs: [],
    ...(subject.timed && { after }),
  } as const
  if (refused)
    return {
      ...base,
      outcome: 'refused',
      why: `The relay refused it (${refused.code}): no other device gets it. ${refusalWords(refused.code, type)}`,
    }
  if (put && !confirmed)
    return {
      ...base,
      outcome: 'waiting',
      why: `The relay could not take it (${put.code}), and ${publisherName} sends it again by itself. ${refusalWords(put.code, type)}`,
    }
  const uncertain = subject.publisher ? session.uncertainty(subject.publisher.id, relay.id) : 0
  const place = confirmed?.number === undefined ? '' : ` at place ${confirmed.number} of the room`
  const sent = devices(steps.filter(({ is }) => is === 'posted'))
  const to =
    sent.length === 0
      ? 'sent it to no device yet'
      : `sent it to ${plural(sent.length, 'device')} (${listed(sent.map((name) => deviceWords(subject, name)))})`
  const barred = devices(steps.filter(({ is, why }) => is === 'dropped' && why === 'no_right'))
  const not =
    barred.length === 0
      ? ''
      : ` ${plural(barred.length, 'device')} may not read ${type}: ${listed(barred.map((name) => deviceWords(subject, name)))}.`
  return {
    ...base,
    outcome: 'received',
    why: `The relay took it${place}, ${subject.timed ? `${measured(after, uncertain)} after it was published` : `at ${clockTime(row.ms + after)}`}, and ${to}.${not}`,
  }
}

function devices(steps: readonly Step[]): readonly string[] {
  return [...new Set(steps.flatMap(({ to }) => (to === undefined ? [] : [to])))]
}

/** By a peer of it that is known, else by its own name. */
function deviceWords({ session }: Subject, device: string): string {
  for (const { hello, name } of session.peers.values())
    if (hello.device === device && hello.kind !== 'relay') return name
  return `device ${device}, not inspected`
}
