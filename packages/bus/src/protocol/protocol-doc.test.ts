/**
 * Holds docs/protocol.md to the code: every example is decoded, every table is compared. The lists
 * of fields below are checked against the types by the compiler, so that a field cannot be added
 * without the text saying so.
 */
import { readFileSync } from 'node:fs'
import { parse as parseDevalue } from 'devalue'
import { describe, expect, it } from 'vitest'
import { BUS_ERROR_CODES, isBusError } from '../errors.ts'
import {
  type EventHeader,
  MAX_BATCH_BYTES,
  MAX_BATCH_EVENTS,
  MAX_EVENT_BYTES,
  MAX_HEADER_BYTES,
} from '../event.ts'
import {
  type BatchRef,
  type ClientFrame,
  type EventRun,
  type Frame,
  type GroupedFrame,
  type GroupFrame,
  type HelloFrame,
  MAX_FRAME_BYTES,
  type OwnRun,
  RESERVED_FRAMES,
  type RelayFrame,
  SUBPROTOCOL,
  type WelcomeFrame,
} from './frames.ts'
import { decodePeerFrame, encodePeerFrame, type PeerFrame } from './peer-frames.ts'
import { checkOf, parsePosition, positionOf, startOf } from './position.ts'
import { decodeFrame, encodeFrame } from './text.ts'

const text = readFileSync(new URL('../../../../docs/protocol.md', import.meta.url), 'utf8')

type Presence = 'required' | 'optional'
type Fields<T> = { readonly [K in keyof T]-?: object extends Pick<T, K> ? 'optional' : 'required' }
type Table = Readonly<Record<string, Presence>>

const FRAMES: {
  [N in Frame['frame']]: Fields<Omit<Extract<Frame, { frame: N }>, 'frame'>>
} = {
  hello: {
    version: 'required',
    token: 'optional',
    log: 'required',
    subject: 'optional',
    device: 'required',
    terms: 'required',
    confirmed: 'optional',
    outbox: 'optional',
    cursor: 'optional',
    older: 'optional',
    from: 'optional',
    types: 'optional',
  },
  welcome: {
    version: 'required',
    subject: 'required',
    rights: 'required',
    taken: 'optional',
    term: 'optional',
    epoch: 'required',
    head: 'required',
    first: 'required',
    from: 'required',
    recovered: 'required',
    reason: 'optional',
    common: 'optional',
    limits: 'required',
    durability: 'required',
    expiresInMs: 'optional',
    groups: 'optional',
  },
  token: { token: 'required' },
  renewed: { expiresInMs: 'optional' },
  publish: {
    batch: 'required',
    prev: 'optional',
    term: 'required',
    indexes: 'optional',
    events: 'required',
  },
  ack: { batch: 'required', refused: 'optional' },
  reject: {
    batch: 'required',
    code: 'required',
    taken: 'optional',
    term: 'optional',
    retryAfterMs: 'required',
  },
  stream: { prev: 'required', position: 'required', runs: 'required' },
  cast: { events: 'required' },
  request: { events: 'required', timeoutMs: 'required', waitMs: 'optional', device: 'optional' },
  reply: {
    id: 'required',
    device: 'optional',
    encoding: 'optional',
    code: 'optional',
    message: 'optional',
  },
  cancel: { id: 'required', device: 'optional' },
  presence: { whole: 'optional', devices: 'required' },
  inspect: { text: 'required' },
  group: { group: 'required', member: 'required', join: 'optional' },
  grouped: {
    group: 'required',
    member: 'required',
    options: 'optional',
    lapsed: 'optional',
    code: 'optional',
    message: 'optional',
    retryAfterMs: 'optional',
  },
  lease: { group: 'required', member: 'required', leases: 'required', events: 'required' },
  settle: { group: 'required', member: 'required', number: 'required', settlements: 'required' },
  settled: {
    group: 'required',
    member: 'required',
    number: 'required',
    lapsed: 'optional',
    code: 'optional',
    retryAfterMs: 'optional',
  },
  credit: { bytes: 'required' },
  ping: {},
  heartbeat: { head: 'required' },
  goaway: { afterMs: 'required', jitterMs: 'required' },
  error: { code: 'required', message: 'required' },
}

const PEER_FRAMES: {
  [N in PeerFrame['frame']]: Fields<Omit<Extract<PeerFrame, { frame: N }>, 'frame'>>
} = {
  batch: {
    log: 'required',
    prefix: 'required',
    prev: 'required',
    committed: 'optional',
    events: 'required',
  },
  committed: {
    log: 'required',
    prefix: 'required',
    first: 'required',
    last: 'required',
    batch: 'required',
    time: 'required',
    roomEvents: 'required',
    bytes: 'required',
  },
  withdrawn: { log: 'required', ids: 'required', code: 'required' },
  room: {
    log: 'required',
    batch: 'required',
    prev: 'optional',
    time: 'required',
    epoch: 'required',
    liveAfter: 'required',
    runs: 'required',
  },
  cast: { log: 'required', room: 'optional', events: 'required' },
  beat: {
    log: 'required',
    prefix: 'optional',
    term: 'required',
    head: 'required',
    relay: 'required',
    rtt: 'optional',
    code: 'optional',
    pending: 'required',
    bytes: 'required',
    refused: 'required',
    confirmed: 'optional',
    line: 'optional',
  },
  gap: { log: 'required', gap: 'required' },
  join: { log: 'required', prefix: 'optional', seen: 'optional' },
  here: { log: 'required', prefix: 'required', seen: 'required', leads: 'required' },
  pass: { log: 'required', prefix: 'required', say: 'required', line: 'optional' },
  seek: { log: 'required' },
  host: { log: 'required', prefix: 'required' },
  heard: { log: 'required', room: 'optional', cast: 'optional', events: 'required' },
  submit: {
    log: 'required',
    to: 'required',
    of: 'required',
    prefix: 'required',
    events: 'required',
  },
  taken: { log: 'required', prefix: 'required', last: 'required', batch: 'optional' },
  declined: {
    log: 'required',
    by: 'required',
    prefix: 'required',
    last: 'required',
    code: 'required',
  },
  present: {
    log: 'required',
    device: 'optional',
    ask: 'optional',
    here: 'required',
    gone: 'optional',
  },
  where: { log: 'required', of: 'required', batches: 'required' },
  placed: { log: 'required', batch: 'required', parts: 'required', whole: 'optional' },
  request: {
    log: 'required',
    key: 'required',
    from: 'required',
    to: 'required',
    room: 'optional',
    timeoutMs: 'required',
    events: 'required',
  },
  reply: {
    log: 'required',
    key: 'required',
    from: 'required',
    room: 'optional',
    encoding: 'optional',
    code: 'optional',
    message: 'optional',
  },
  cancel: { log: 'required', key: 'required', from: 'required' },
}

const BATCH_REF: Fields<BatchRef> = { batch: 'required', id: 'required' }
const DEVICE: Fields<HelloFrame['device']> = { id: 'required', secret: 'required' }
const OUTBOX: Fields<NonNullable<HelloFrame['outbox']>> = { first: 'required', last: 'required' }
const RIGHTS: Fields<WelcomeFrame['rights']> = { publish: 'required', subscribe: 'required' }
const LIMITS: Fields<WelcomeFrame['limits']> = {
  frameBytes: 'required',
  batchEvents: 'required',
  heartbeatMs: 'required',
  creditBytes: 'optional',
}
const JOIN: Fields<NonNullable<GroupFrame['join']>> = {
  types: 'required',
  from: 'optional',
  credit: 'required',
  holds: 'optional',
  ackWait: 'optional',
  backoff: 'optional',
  maxDeliver: 'optional',
  maxAckPending: 'optional',
  orderBy: 'optional',
}
const IN_FORCE: Fields<NonNullable<GroupedFrame['options']>> = {
  types: 'required',
  ackWait: 'required',
  backoff: 'optional',
  maxDeliver: 'required',
  maxAckPending: 'required',
  orderBy: 'optional',
}
const OWN: Fields<OwnRun['own']> = {
  batch: 'required',
  indexes: 'required',
  revisions: 'optional',
  refused: 'optional',
  earlier: 'optional',
}
const EVENT_RUN: Fields<EventRun> = { place: 'required', events: 'required', time: 'required' }
const OWN_RUN: Fields<OwnRun> = { place: 'required', own: 'required', time: 'required' }
const HEADER: Fields<EventHeader> = {
  id: 'required',
  type: 'required',
  source: 'required',
  time: 'required',
  scope: 'optional',
  stream: 'optional',
  // Given by the relay; a bus takes it where the place of the event holds.
  revision: 'optional',
  expected: 'optional',
  version: 'optional',
  correlationId: 'optional',
  causationId: 'optional',
  traceparent: 'optional',
  metadata: 'optional',
  encoding: 'optional',
  group: 'optional',
  // Given by the relay to events that came by HTTP; a bus carries it on like any other field.
  ownId: 'optional',
}

/** Objects inside frames whose fields stand in the table of the frame. */
const NESTED: Readonly<Record<string, Readonly<Record<string, Table>>>> = {
  hello: { device: DEVICE, confirmed: BATCH_REF, outbox: OUTBOX },
  welcome: { rights: RIGHTS, taken: BATCH_REF, limits: LIMITS },
  group: { join: JOIN },
  grouped: { options: IN_FORCE },
}

const SENDERS: {
  [N in Frame['frame']]: N extends ClientFrame['frame'] & RelayFrame['frame']
    ? 'both'
    : N extends ClientFrame['frame']
      ? 'device'
      : 'relay'
} = {
  hello: 'device',
  welcome: 'relay',
  token: 'device',
  renewed: 'relay',
  publish: 'device',
  ack: 'relay',
  reject: 'relay',
  stream: 'relay',
  cast: 'both',
  request: 'both',
  reply: 'both',
  cancel: 'both',
  presence: 'both',
  inspect: 'both',
  group: 'device',
  grouped: 'relay',
  lease: 'relay',
  settle: 'device',
  settled: 'relay',
  credit: 'device',
  ping: 'device',
  heartbeat: 'relay',
  goaway: 'relay',
  error: 'relay',
}

interface Block {
  readonly kind: string
  readonly argument: string
  readonly body: string
}

const blocks: Block[] = [...text.matchAll(/^```(\S+)(?: (\S+))?\n(.*?)\n```$/gms)].map(
  ([, kind = '', argument = '', body = '']) => ({ kind, argument, body }),
)
const ofKind = (kind: string) => blocks.filter((block) => block.kind === kind)

/** The text under a heading, up to the next one. */
function section(heading: string): string {
  const start = text.indexOf(`\n${heading}\n`)
  if (start < 0) throw new Error(`docs/protocol.md has no heading "${heading}"`)
  const rest = text.slice(start + heading.length + 2)
  const end = rest.search(/^#{2,3} /m)
  return end < 0 ? rest : rest.slice(0, end)
}

/** The cells of the rows of a section's tables, without backticks. */
function rows(of: string): string[][] {
  return [...of.matchAll(/^\| (.*) \|$/gm)].map(([, row = '']) =>
    row.split(' | ').map((cell) => cell.replaceAll('`', '').trim()),
  )
}

/** A table of fields as the text has it, in the words of the types. */
function fieldTable(of: string): Record<string, string> {
  const words: Record<string, string> = { yes: 'required', no: 'optional' }
  return Object.fromEntries(
    rows(of)
      .filter(([name]) => name !== 'field' && name !== undefined)
      .map(([name, required = '']) => [name, words[required] ?? required]),
  )
}

function flat(fields: Table, nested: Readonly<Record<string, Table>> = {}): Record<string, string> {
  const all: Record<string, string> = { ...fields }
  for (const [name, inner] of Object.entries(nested)) {
    for (const [key, presence] of Object.entries(inner)) all[`${name}.${key}`] = presence
  }
  return all
}

const madeUp = (value: object, known: Table, where: string): string[] =>
  Object.keys(value)
    .filter((key) => !Object.hasOwn(known, key))
    .map((key) => `${where}.${key}`)

/** Fields of a frame that the code does not know. */
function unknownFields(
  frame: Record<string, unknown>,
  fields: Table,
  nested: Readonly<Record<string, Table>> = {},
): string[] {
  const { frame: name, ...rest } = frame
  const found = madeUp(rest, fields, String(name))
  for (const [key, inner] of Object.entries(nested)) {
    const part = rest[key]
    if (part !== undefined) found.push(...madeUp(part as object, inner, `${String(name)}.${key}`))
  }
  for (const header of headersOf(rest)) found.push(...madeUp(header, HEADER, 'header'))
  for (const run of (rest['runs'] as (EventRun | OwnRun)[] | undefined) ?? []) {
    found.push(...madeUp(run, 'own' in run ? OWN_RUN : EVENT_RUN, 'run'))
    if ('own' in run) found.push(...madeUp(run.own, OWN, 'own'))
  }
  return found
}

function headersOf(frame: Record<string, unknown>): EventHeader[] {
  const runs = (frame['runs'] as (EventRun | OwnRun)[] | undefined) ?? []
  const inRuns = runs.flatMap((run) => ('events' in run ? run.events : []))
  return [...((frame['events'] as EventHeader[] | undefined) ?? []), ...inRuns]
}

/** Every value text is one of the encoding its header names. */
function readValues(frame: object, data: readonly string[]): void {
  headersOf(frame as Record<string, unknown>).forEach(({ encoding }, i) => {
    const line = data[i] as string
    if (encoding === 'devalue') parseDevalue(line)
    else JSON.parse(line)
  })
}

/** The text of an example without one field of its head, and its data lines as they fit then. */
function without(body: string, field: string): string {
  const [head = '', ...data] = body.split('\n')
  const { [field]: _, ...rest } = JSON.parse(head) as Record<string, unknown>
  return [JSON.stringify(rest), ...data].join('\n')
}

const codeOf = (run: () => unknown): string | undefined => {
  try {
    run()
    return undefined
  } catch (error) {
    return isBusError(error) ? error.code : String(error)
  }
}

const nameIn = (body: string): string =>
  (JSON.parse(body.split('\n', 1)[0] as string) as { frame: string }).frame

describe('examples of frames in docs/protocol.md', () => {
  it.each(ofKind('frame'))('decodes $body', ({ argument, body }) => {
    const decoded = decodeFrame(body)
    if (!decoded) throw new Error('a reserved frame')
    const { frame, data } = decoded
    const { frame: name } = frame
    expect(argument).toBe(SENDERS[name])
    expect(encodeFrame(frame, data)).toBe(body)
    const fields = unknownFields({ ...frame }, FRAMES[name], NESTED[name])
    expect(fields).toEqual([])
    readValues(frame, data)
    for (const [field, presence] of Object.entries(FRAMES[name] as Table)) {
      const refused = codeOf(() => decodeFrame(without(body, field))) !== undefined
      expect(refused, `${name} without ${field}`).toBe(presence === 'required')
    }
  })

  it.each(ofKind('peer-frame'))('decodes $body', ({ body }) => {
    const { frame, data } = decodePeerFrame(body)
    const fields: Table = PEER_FRAMES[frame.frame]
    expect(encodePeerFrame(frame, data)).toBe(body)
    expect(unknownFields({ ...frame }, fields)).toEqual([])
    readValues(frame, data)
    for (const [field, presence] of Object.entries(fields)) {
      const refused = codeOf(() => decodePeerFrame(without(body, field))) !== undefined
      expect(refused, `${frame.frame} without ${field}`).toBe(presence === 'required')
    }
  })

  it.each(ofKind('not-a-frame'))('refuses $body', ({ argument, body }) => {
    expect(codeOf(() => decodeFrame(body))).toBe(argument)
  })

  it.each(ofKind('reserved-frame'))('ignores $body', ({ body }) => {
    expect(decodeFrame(body)).toBeUndefined()
  })

  it('has no block of a kind that nobody reads', () => {
    const kinds = ['frame', 'peer-frame', 'not-a-frame', 'reserved-frame', 'mermaid']
    const read = [...kinds, 'http', 'http-answer', 'event-stream']
    expect(blocks.map(({ kind }) => kind).filter((kind) => !read.includes(kind))).toEqual([])
  })

  it('shows every frame, every field of it and every field of a header', () => {
    const frames = ofKind('frame').map(({ body }) => body)
    const peers = ofKind('peer-frame').map(({ body }) => body)
    for (const [all, bodies] of [
      [FRAMES, frames],
      [PEER_FRAMES, peers],
    ] as const) {
      expect(new Set(bodies.map(nameIn))).toEqual(new Set(Object.keys(all)))
      for (const [name, fields] of Object.entries(all)) {
        const heads = bodies
          .filter((body) => nameIn(body) === name)
          .map((body) => JSON.parse(body.split('\n', 1)[0] as string) as object)
        for (const field of Object.keys(fields)) {
          expect(
            heads.some((head) => field in head),
            `an example of ${name} with ${field}`,
          ).toBe(true)
        }
      }
    }
    const headers = [...frames, ...peers].flatMap((body) =>
      headersOf(JSON.parse(body.split('\n', 1)[0] as string)),
    )
    for (const field of Object.keys(HEADER)) {
      expect(
        headers.some((header) => field in header),
        `an example of a header with ${field}`,
      ).toBe(true)
    }
  })

  it('shows positions that are those of the events at them', () => {
    for (const { body } of ofKind('frame')) {
      const { frame } = decodeFrame(body) as { frame: Frame }
      if (frame.frame !== 'stream') continue
      const last = frame.runs.at(-1)
      if (!last || !('events' in last)) continue
      const end = parsePosition(frame.position)
      expect(end?.place).toBe(last.place + last.events.length - 1)
      expect(end?.check).toBe(checkOf((last.events.at(-1) as EventHeader).id))
    }
  })

  it('shows one position of the stream for each place, with a chain', () => {
    const shown = new Map<string, string>()
    let count = 0
    for (const { body } of ofKind('frame')) {
      const head = JSON.parse(body.split('\n', 1)[0] as string) as Record<string, unknown>
      for (const field of ['cursor', 'head', 'first', 'from', 'prev', 'position']) {
        const position = head[field]
        const parsed = typeof position === 'string' ? parsePosition(position) : undefined
        if (!parsed || parsed.place === 0) continue
        count += 1
        const { epoch, place, check, chain } = parsed
        expect(chain, position as string).toBeDefined()
        const event = positionOf(epoch, place, check)
        expect(shown.get(event) ?? position).toBe(position)
        shown.set(event, position as string)
      }
    }
    expect(count).toBeGreaterThan(shown.size)
    const [, named] = /may be\n`(.*?)`/.exec(section('## Positions')) ?? []
    expect([...shown.values()]).toContain(named)
  })
})

describe('tables of docs/protocol.md', () => {
  it.each(Object.entries(FRAMES))('has the fields of %s', (name, fields) => {
    expect(fieldTable(section(`### \`${name}\``))).toEqual(flat(fields, NESTED[name]))
  })

  it.each(Object.entries(PEER_FRAMES))('has the fields of peer %s', (name, fields) => {
    expect(fieldTable(section(`### peer \`${name}\``))).toEqual(flat(fields))
  })

  it('has no heading of a frame that is none', () => {
    const headings = [...text.matchAll(/^### (.*)$/gm)].map(([, heading]) => heading)
    expect(headings).toEqual([
      ...Object.keys(FRAMES).map((name) => `\`${name}\``),
      ...Object.keys(PEER_FRAMES).map((name) => `peer \`${name}\``),
    ])
  })

  it('has the fields of a header', () => {
    expect(fieldTable(section('## Event headers'))).toEqual(HEADER)
  })

  it('has the fields of a run', () => {
    const either = { ...EVENT_RUN, ...OWN_RUN, events: 'one of the two', own: 'one of the two' }
    expect(fieldTable(section('## Runs'))).toEqual(flat(either as unknown as Table, { own: OWN }))
  })

  it('has the codes and close numbers of the code', () => {
    const table = rows(section('## Errors and close codes')).slice(1)
    expect(table.map(([number, code]) => [code, Number(number)])).toEqual(
      Object.entries(BUS_ERROR_CODES).sort(([, a], [, b]) => a - b),
    )
  })

  it('has the reserved names of the code', () => {
    const [, names = ''] = /ignore them:\n(.*?)\./s.exec(section('## Reserved frames')) ?? []
    const listed = [...names.matchAll(/`([a-z]+)`/g)].map(([, name]) => name)
    expect(listed).toEqual([...RESERVED_FRAMES])
  })

  it('has the limits of the code', () => {
    const table = rows(section('## Transport')).filter(([, value]) => /^\d+$/.test(value ?? ''))
    expect(Object.fromEntries(table.map(([what, value]) => [what, Number(value)]))).toEqual({
      'UTF-8 bytes of a frame': MAX_FRAME_BYTES,
      'events of a batch': MAX_BATCH_EVENTS,
      'UTF-8 bytes of a batch, headers and value texts': MAX_BATCH_BYTES,
      'UTF-8 bytes of an event header': MAX_HEADER_BYTES,
      'UTF-8 bytes of an event, header and value text': MAX_EVENT_BYTES,
    })
    expect(section('## Transport')).toContain(`\`${SUBPROTOCOL}\``)
  })

  it('has checks of ids that hold', () => {
    const of = section('## Positions')
    const vectors = rows(of).slice(1) as [string, string][]
    expect(vectors.length).toBeGreaterThan(3)
    for (const [id, check] of vectors) expect(checkOf(id), id).toBe(check)
    const [, epoch = ''] = /With epoch `(\w+)`/.exec(of) ?? []
    const [id, check] = vectors[0] as [string, string]
    expect(of).toContain(`\`${positionOf(epoch, 1, checkOf(id))}\``)
    expect(check).not.toBe('')
    expect(of).toContain(`\`${startOf(epoch)}\``)
  })

  it('has value texts that can be read', () => {
    const values = rows(section('## Value text')).slice(1)
    expect(values.length).toBeGreaterThan(3)
    for (const [value = '', encoding, line = ''] of values) {
      const read = encoding === 'devalue' ? parseDevalue(line) : (JSON.parse(line) as unknown)
      // What the column says, as the JavaScript it is.
      expect(read, value).toEqual(new Function(`return (${value})`)())
    }
  })
})
