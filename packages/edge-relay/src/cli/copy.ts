/** `export` and `import`: a room as lines of CloudEvents, and back. */
import { createReadStream } from 'node:fs'
import { mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { BusError, envelopeOf, MAX_BATCH_EVENTS, utf8Length } from '@crosstown/bus/protocol'
import { Command } from 'commander'
import type { PostedEvent } from '../commands.ts'
import { CLOUD_EVENT, CLOUD_EVENTS, cloudEventsIn } from '../http/cloud-events.ts'
import { postCloudEvents } from '../http/publish.ts'
import { faultOf } from '../judge.ts'
import { DEFAULT_LIMITS } from '../limits.ts'
import { Progress, writeLine } from './output.ts'
import { aboutRoom, Target, type TargetFlags } from './target.ts'

/** UTF-8 bytes of one request to import with; a relay takes 1 MiB. */
const REQUEST_BYTES = 768 * 1024

/** `crosstown-relay export --out room.ndjson`. */
export function exportCommand(): Command {
  return aboutRoom(
    new Command('export').description('write all events of the room, as lines of CloudEvents'),
  )
    .option('--out <file>', 'file to write (default: standard output)')
    .action(exportRoom)
}

/** `crosstown-relay import room.ndjson`. */
export function importCommand(): Command {
  return aboutRoom(
    new Command('import').description(
      'publish the events of a file that export wrote; again does no harm',
    ),
  )
    .argument('<file>', 'file of lines of CloudEvents, or - for standard input')
    .action(importFile)
}

async function exportRoom(flags: TargetFlags & { readonly out?: string }): Promise<void> {
  const target = new Target(flags)
  const { out } = flags
  // Beside it first, so that a file of this name is always a whole one.
  const part = out === undefined ? undefined : `${out}.part`
  const file = part === undefined ? undefined : await opened(part)
  try {
    const write = file ? (line: string) => file.write(`${line}\n`) : writeLine
    const done = await exportTo(target, write)
    if (!file || !part || out === undefined) return
    await file.sync()
    await file.close()
    await rename(part, out)
    process.stderr.write(`${done} events written to ${out}\n`)
  } catch (error) {
    await file?.close().catch(() => {})
    if (part !== undefined) await rm(part, { force: true })
    throw error
  }
}

async function exportTo(
  target: Target,
  write: (line: string) => Promise<unknown>,
): Promise<number> {
  const { events: total } = (await target.json('/stats')) as { events: number }
  const progress = new Progress('events')
  let path: string | undefined = `/events?limit=${MAX_BATCH_EVENTS}`
  let done = 0
  while (path !== undefined) {
    const response: Response = await target.fetch(path, { headers: { accept: CLOUD_EVENTS } })
    for (const event of (await target.jsonOf(response)) as unknown[]) {
      await write(JSON.stringify(event))
      done += 1
    }
    progress.to(done, total)
    path = /<([^>]+)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1]
  }
  progress.end()
  return done
}

async function opened(path: string) {
  try {
    return await open(path, 'w')
  } catch (cause) {
    throw new BusError('invalid_options', `${path} cannot be written`, { cause })
  }
}

async function importFile(given: string, flags: TargetFlags): Promise<void> {
  const target = new Target(flags)
  const folder = given === '-' ? await mkdtemp(join(tmpdir(), 'crosstown-import-')) : undefined
  try {
    const file = folder === undefined ? given : join(folder, 'events')
    if (folder !== undefined) await writeFile(file, process.stdin)
    // All of it is looked at before any of it is published.
    let total = 0
    for await (const { line, number } of eventsIn(file)) {
      await check(line, number)
      total += 1
    }
    const [done, had] = await publishAll(target, file, total)
    process.stderr.write(`${done} events published, ${had} the room had already\n`)
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  }
}

async function publishAll(target: Target, file: string, total: number): Promise<[number, number]> {
  const progress = new Progress('events')
  let [batch, bytes, sent, fresh] = [[] as string[], 0, 0, 0]
  const before = await eventsOf(target)
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return
    try {
      await target.json('/events', {
        method: 'POST',
        headers: { 'content-type': CLOUD_EVENTS },
        body: `[${batch.join(',')}]`,
      })
    } catch (error) {
      if (!(error instanceof BusError) || sent === 0) throw error
      const far = `${sent} of ${total} events were published, and to import the file again does no harm`
      throw new BusError(error.code, `${error.message}; ${far}`, { cause: error })
    }
    sent += batch.length
    progress.to(sent, total)
    batch = []
    bytes = 0
  }
  for await (const { line } of eventsIn(file)) {
    const length = utf8Length(line) + 1
    if (batch.length === MAX_BATCH_EVENTS || bytes + length > REQUEST_BYTES) await flush()
    batch.push(line)
    bytes += length
  }
  await flush()
  progress.end()
  fresh = (await eventsOf(target)) - before
  return [fresh, sent - fresh]
}

async function eventsOf(target: Target): Promise<number> {
  try {
    const { events } = (await target.json('/stats')) as { events: number }
    return events
  } catch (error) {
    if ((error as { code?: unknown }).code === 'not_found') return 0
    throw error
  }
}

/** An event of a file, as the text to publish, and the line it stands in. */
interface Line {
  readonly line: string
  readonly number: number
}

/** The events of a file. @throws {BusError} invalid_options, with the line */
async function* eventsIn(file: string): AsyncGenerator<Line> {
  const lines = createInterface({
    input: createReadStream(file),
    crlfDelay: Number.POSITIVE_INFINITY,
  })
  let number = 0
  try {
    for await (const line of lines) {
      number += 1
      if (line.trim() !== '') yield { line: toPublish(line, number), number }
    }
  } catch (cause) {
    if (cause instanceof BusError) throw cause
    throw new BusError('invalid_options', `${file} cannot be read`, { cause })
  }
}

function wrong(number: number, what: string, cause: unknown): BusError {
  const text = `line ${number} ${what}; nothing of the file was published`
  return new BusError('invalid_options', text, { cause })
}

function toPublish(line: string, number: number): string {
  let event: Record<string, unknown>
  try {
    event = JSON.parse(line) as Record<string, unknown>
  } catch (cause) {
    throw wrong(number, 'is not JSON', cause)
  }
  try {
    const { id, correlationId } = envelopeOf(event)
    // In the room it gets an id of the room's making: what belonged together still does.
    return correlationId === undefined
      ? JSON.stringify({ ...event, correlationid: event['eventid'] ?? id })
      : line
  } catch (cause) {
    throw wrong(number, `is ${cause instanceof Error ? cause.message : 'no CloudEvent'}`, cause)
  }
}

/**
 * Looks at an event as a relay does that takes all types, so that no line is found to be wrong when
 * others are published already.
 */
async function check(line: string, number: number): Promise<void> {
  const { nesting } = DEFAULT_LIMITS
  let code: string | undefined
  try {
    const { posts } = cloudEventsIn(CLOUD_EVENT, new TextEncoder().encode(line), {}, nesting)
    const nobody = { subject: '', time: 0 }
    const [event] = await postCloudEvents(posts, false, 1, nobody, async () => '')
    const { header, data } = event as PostedEvent
    code = faultOf(header, JSON.stringify(header), data, () => true, nesting)
  } catch (cause) {
    throw wrong(number, `is refused: ${cause instanceof Error ? cause.message : cause}`, cause)
  }
  if (code !== undefined) throw wrong(number, `is refused: ${code}`, undefined)
}
