/** `publish`: events into a room. */
import { readFileSync } from 'node:fs'
import { BusError, isEventType } from '@crosstown/bus/protocol'
import { Command, InvalidArgumentError } from 'commander'
import { writeLine } from './output.ts'
import { aboutRoom, Target, type TargetFlags } from './target.ts'

interface PublishFlags extends TargetFlags {
  readonly stream?: string
  readonly expectedRevision?: string | number
  readonly correlationId?: string
  readonly id?: string
  readonly source: string
}

/** `crosstown-relay publish order.created '{"total":12}'`, or `-` for lines of standard input. */
export function publishCommand(): Command {
  return aboutRoom(
    new Command('publish').description('publish an event, or one a line of standard input'),
  )
    .argument(
      '<type>',
      'type of the event, or - for lines of { type, data, ... } from standard input',
    )
    .argument('[data]', 'its data, as JSON')
    .option('--stream <name>', 'stream it belongs to')
    .option(
      '--expected-revision <revision>',
      'none, exists, or a revision of the stream',
      parseRevision,
    )
    .option('--correlation-id <id>', 'conversation it belongs to')
    .option('--id <id>', 'id of its own, by which a second sending is recognised')
    .option('--source <name>', 'who publishes', 'cli')
    .action(publish)
}

async function publish(type: string, data: string | undefined, flags: PublishFlags): Promise<void> {
  const { stream, expectedRevision, correlationId, id, source } = flags
  const common = {
    source,
    ...(stream !== undefined && { stream }),
    ...(expectedRevision !== undefined && { expectedRevision }),
    ...(correlationId !== undefined && { correlationId }),
  }
  const events =
    type === '-'
      ? linesIn(readFileSync(0, 'utf8')).map((event) => ({ ...common, ...event }))
      : [{ ...common, type: typeOf(type), ...(id !== undefined && { id }), ...dataOf(data) }]
  if (events.length === 0) throw new BusError('invalid_options', 'standard input has no event')
  const target = new Target(flags)
  const answer = (await target.json('/events', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  })) as { events: unknown[] }
  for (const event of answer.events) await writeLine(JSON.stringify(event))
}

function typeOf(type: string): string {
  if (isEventType(type)) return type
  const what = 'a type is 1 to 16 segments of A-Z a-z 0-9 _ - joined by dots'
  throw new BusError('invalid_type', `${JSON.stringify(type)}: ${what}`)
}

function dataOf(text: string | undefined): { readonly data?: unknown } {
  if (text === undefined) return {}
  try {
    return { data: JSON.parse(text) as unknown }
  } catch (cause) {
    const what = 'data must be JSON: a text is in quotes of its own, as in \'"text"\''
    throw new BusError('invalid_options', what, { cause })
  }
}

function linesIn(text: string): Record<string, unknown>[] {
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return []
    try {
      return [JSON.parse(line) as Record<string, unknown>]
    } catch (cause) {
      throw new BusError('invalid_options', `line ${i + 1} of standard input is not JSON`, {
        cause,
      })
    }
  })
}

function parseRevision(text: string): string | number {
  if (text === 'none' || text === 'exists' || text === 'any') return text
  const revision = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(revision)) return revision
  throw new InvalidArgumentError("give 'none', 'exists', or a whole number")
}
