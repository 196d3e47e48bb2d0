/** What a sequence diagram draws, said in words. */
import type { Sequence } from '../../model/model.ts'
import { duration, measured, plural, shorten, since } from '../shared/format.ts'

type Message = Sequence['messages'][number]

export const VIA: { readonly [via in Message['via']]: string } = {
  self: 'within the context',
  tabs: 'over the tabs link',
  relay: 'over the relay',
  log: 'from the log',
  link: 'over a link of the application',
}

export function laneName(sequence: Sequence, lane: number): string {
  return sequence.lanes[lane]?.name ?? '?'
}

/** One sentence: everything there is to say about an arrow. */
export function sentence(sequence: Sequence, message: Message, start: number): string {
  const from = laneName(sequence, message.from)
  const to = laneName(sequence, message.to)
  const way =
    message.from === message.to ? `within ${from}` : `${from} to ${to} ${VIA[message.via]}`
  const result = message.failed
    ? `failed: ${message.failed}`
    : message.untimed
      ? 'when it was sent is not known'
      : `took ${measured(message.ms, message.plusMinus)}`
  return `${message.type}: ${way} at ${since(message.sent - start)}, ${result}`
}

/** What stands at an arrow, cut to so many characters; how long it took is never cut. */
export function labelOf(message: Message, characters: number): [type: string, took: string] {
  const { failed, type, from, to } = message
  if (failed) {
    const rest = characters - type.length - 3
    return [
      shorten(type, Math.max(4, characters - 2)),
      rest > 6 ? `✕ ${failed.slice(0, rest)}` : '✕',
    ]
  }
  const took = from === to ? '' : shortMeasure(message)
  return [shorten(type, Math.max(4, characters - took.length - 1)), took]
}

function shortMeasure({ ms, plusMinus, untimed }: Message): string {
  if (untimed) return '?'
  return plusMinus > 0 ? `${duration(ms)} ±${duration(plusMinus)}` : duration(ms)
}

/** The whole diagram in a sentence. */
export function summary({ lanes, messages, bars }: Sequence): string {
  const start = messages[0]?.sent ?? 0
  let end = start
  for (const { arrived } of messages) end = Math.max(end, arrived)
  for (const { to } of bars) end = Math.max(end, to)
  const failed = messages.filter((message) => message.failed).length
  const broken = bars.filter((bar) => bar.failed).length
  const parts = [
    `${plural(messages.length, 'message')} between ${plural(lanes.length, 'context')} in ${duration(end - start)}`,
  ]
  if (failed > 0) parts.push(`${failed} did not arrive`)
  if (broken > 0) parts.push(`${plural(broken, 'handler')} failed`)
  return `${parts.join(', ')}.`
}
