/** `tail`, `replay` and `stats`: reading a room. */
import { setTimeout as wait } from 'node:timers/promises'
import { styleText } from 'node:util'
import { BusError, isBusError, isPattern } from '@crosstown/bus/protocol'
import { Command, InvalidArgumentError } from 'commander'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { Progress, writeLine } from './output.ts'
import { aboutRoom, Target, type TargetFlags } from './target.ts'

interface FilterFlags extends TargetFlags {
  readonly stream?: string
  readonly correlationId?: string
  readonly since?: number
  readonly json?: boolean
}

/** An event as the relay writes it. */
interface ReadEvent {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly time: number
  readonly stream?: string
  readonly revision?: number
  readonly data?: unknown
}

/** How long until the relay is asked again, where it did not say. */
const RETRY_MS = 2_000
const PAGE = 1_000

/** `crosstown-relay tail 'order.**'`: events as they come. */
export function tailCommand(): Command {
  return filtered(new Command('tail').description('write events as they come, until it is ended'))
    .option('--since <time>', 'begin with those written since: 10m, 2h, 3d, or a time', parseTime)
    .action(tail)
}

/** `crosstown-relay replay`: events that the room has. */
export function replayCommand(): Command {
  return filtered(new Command('replay').description('write the events that the room has now'))
    .option('--since <time>', 'begin with those written since: 10m, 2h, 3d, or a time', parseTime)
    .option('--after <position>', 'begin behind a position')
    .option('--limit <number>', 'end after so many events', parseCount)
    .option(
      '--speed <factor>',
      'pause between events as there was between them, divided by this',
      parseSpeed,
    )
    .action(replay)
}

/** `crosstown-relay stats`: what the room holds. */
export function statsCommand(): Command {
  return aboutRoom(new Command('stats').description('write what the room holds, as JSON')).action(
    async (flags: TargetFlags) => {
      const stats = await new Target(flags).json('/stats')
      await writeLine(JSON.stringify(stats, null, process.stdout.isTTY ? 2 : undefined))
    },
  )
}

function filtered(command: Command): Command {
  return aboutRoom(command)
    .argument(
      '[patterns...]',
      'types to write, as order.** or cart.* (default: all)',
      collectPatterns,
    )
    .option('--stream <name>', 'only events of this stream')
    .option('--correlation-id <id>', 'only events of this conversation')
    .option('--json', 'write JSON lines also to a terminal')
}

function collectPatterns(pattern: string, before: string[] = []): string[] {
  if (isPattern(pattern)) return [...before, pattern]
  throw new InvalidArgumentError('is no pattern: use order.created, order.* or order.**')
}

function queryOf(patterns: readonly string[], flags: FilterFlags): URLSearchParams {
  const query = new URLSearchParams(patterns.map((pattern) => ['type', pattern]))
  if (flags.stream !== undefined) query.set('stream', flags.stream)
  if (flags.correlationId !== undefined) query.set('correlation_id', flags.correlationId)
  if (flags.since !== undefined) query.set('since', String(flags.since))
  return query
}

async function tail(patterns: readonly string[] = [], flags: FilterFlags): Promise<void> {
  const target = new Target(flags)
  const query = queryOf(patterns, flags)
  if (flags.since === undefined) query.set('after', 'now')
  const ended = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort())
  const reader = { lastId: '', retryMs: RETRY_MS, opened: false }
  while (!ended.signal.aborted) {
    try {
      await follow(target, query, reader, flags.json ?? !process.stdout.isTTY, ended.signal)
    } catch (error) {
      if (ended.signal.aborted) return
      // Once it was there, it will be there again; what it refuses, it refuses again.
      if (!reader.opened || !isBusError(error) || !error.retryable) throw error
      process.stderr.write(`crosstown-relay: ${error.message}; trying again\n`)
    }
    await wait(reader.retryMs, undefined, { signal: ended.signal }).catch(() => {})
  }
}

interface Follower {
  lastId: string
  retryMs: number
  opened: boolean
}

/** One connection: until it ends. */
async function follow(
  target: Target,
  query: URLSearchParams,
  reader: Follower,
  json: boolean,
  signal: AbortSignal,
): Promise<void> {
  const response = await target.fetch(`/events?${query}`, {
    headers: {
      accept: 'text/event-stream',
      ...(reader.lastId !== '' && { 'last-event-id': reader.lastId }),
    },
    signal,
  })
  if (!response.headers.get('content-type')?.startsWith('text/event-stream'))
    throw target.notRelay('no event stream')
  reader.opened = true
  const messages: EventSourceMessage[] = []
  const parser = createParser({
    onEvent: (message) => messages.push(message),
    onRetry: (ms) => {
      reader.retryMs = ms
    },
  })
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for await (const chunk of response.body ?? []) {
      const text = decoder.decode(chunk, { stream: true })
      parser.feed(text)
      // Of what is not whole yet nothing was written, and nothing may be passed over.
      const end = (rest + text).lastIndexOf('\n\n') + 2
      const whole = (rest + text).slice(0, end < 2 ? 0 : end)
      rest = (rest + text).slice(whole.length)
      for (const { event, data } of messages.splice(0)) {
        if (event === 'gap') process.stderr.write(`crosstown-relay: a gap in the room: ${data}\n`)
        else await writeLine(json ? data : pretty(JSON.parse(data) as ReadEvent))
      }
      // One that only says where the reader stands is no message to the parser.
      for (const [, id] of whole.matchAll(/^id: (\S+)\n/gm)) reader.lastId = id as string
    }
  } catch (cause) {
    if (signal.aborted) throw cause
    throw new BusError('unavailable', 'the connection to the relay broke off', { cause })
  }
}

interface ReplayFlags extends FilterFlags {
  readonly after?: string
  readonly limit?: number
  readonly speed?: number
}

interface Page {
  readonly events: readonly ReadEvent[]
  readonly next?: string
}

async function replay(patterns: readonly string[] = [], flags: ReplayFlags): Promise<void> {
  const target = new Target(flags)
  const { limit = Number.POSITIVE_INFINITY, speed } = flags
  const query = queryOf(patterns, flags)
  if (flags.after !== undefined) query.set('after', flags.after)
  const json = flags.json ?? !process.stdout.isTTY
  const progress = new Progress('events')
  let done = 0
  let before: number | undefined
  for (;;) {
    query.set('limit', String(Math.min(PAGE, limit - done)))
    const page = (await target.json(`/events?${query}`)) as Page
    for (const event of page.events) {
      if (speed !== undefined && before !== undefined)
        await wait(Math.max(0, event.time - before) / speed)
      before = event.time
      await writeLine(json ? JSON.stringify(event) : pretty(event))
      done += 1
    }
    if (json) progress.to(done, undefined)
    if (page.next === undefined || done >= limit) break
    query.set('after', page.next)
    query.delete('since')
  }
  progress.end()
}

/** One line for people. Texts of events are anybody's: nothing in them reaches the terminal as a command. */
function pretty({ type, source, time, stream, revision, data }: ReadEvent): string {
  const at = new Date(time).toISOString().slice(11, 23)
  const where =
    stream === undefined
      ? ''
      : ` ${printable(stream)}${revision === undefined ? '' : `#${revision}`}`
  const shown = data === undefined ? '' : ` ${printable(JSON.stringify(data))}`
  return `${styleText('dim', at)} ${styleText('bold', type)} ${styleText('cyan', printable(source))}${where}${shown}`
}

/** Neither control characters nor those that turn the direction of text or break lines. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd')
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function parseTime(text: string): number {
  const [, amount, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? []
  if (amount !== undefined) return Date.now() - Number(amount) * (UNITS[unit] as number)
  const time = Date.parse(text)
  if (!Number.isNaN(time)) return time
  throw new InvalidArgumentError('give a time, as 2030-01-31T12:00:00Z, or how long ago, as 10m')
}

function parseCount(text: string): number {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count >= 1) return count
  throw new InvalidArgumentError('give a whole number from 1')
}

function parseSpeed(text: string): number {
  const speed = Number(text)
  if (speed > 0 && Number.isFinite(speed)) return speed
  throw new InvalidArgumentError('give a number above 0: 1 is as fast as it was')
}
