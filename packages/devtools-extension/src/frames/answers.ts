/** Reads what peers answer. */
import type { Answers, Ask, Tree } from '@crosstown/bus/inspect'
import { consuming, deadLetters, settled } from './consuming.ts'
import { headerText, readEvent, readEvents, readIds } from './events.ts'
import {
  fail,
  fields,
  flag,
  listOf,
  number,
  oneOf,
  type Reader,
  shape,
  shownText,
  text,
  under,
  whole,
} from './reader.ts'
import { pattern } from './records.ts'

const MAX_DEPTH = 64
const MAX_NODES = 200_000

const treeType = oneOf(
  'null',
  'undefined',
  'boolean',
  'number',
  'bigint',
  'string',
  'date',
  'regexp',
  'url',
  'array',
  'object',
  'map',
  'set',
  'arraybuffer',
  'view',
  'redacted',
  'cycle',
  'missing',
)
const preview = shownText(240)
const key: Reader<string | number> = (value) =>
  typeof value === 'number' ? value : text(100_000)(value)
const encoding = oneOf('json', 'devalue')

/** A value opened some levels; deeper or larger than a tap makes them is a fault. */
export function readTree(value: unknown): Tree {
  let nodes = 0
  const read = (value: unknown, depth: number): Tree => {
    if (++nodes > MAX_NODES) fail(`must not have more than ${MAX_NODES} nodes`)
    if (depth > MAX_DEPTH) fail(`must not be deeper than ${MAX_DEPTH}`)
    const given = fields(value)
    const { size, children, bytes } = given
    return {
      type: under('type', treeType, given['type']),
      preview: under('preview', preview, given['preview']),
      ...(size === undefined ? {} : { size: under('size', whole(), size) }),
      ...(children === undefined ? {} : { children: childrenOf(children, depth) }),
      ...(bytes === undefined ? {} : { bytes: under('bytes', whole(), bytes) }),
      ...(given['encoding'] === undefined
        ? {}
        : { encoding: under('encoding', encoding, given['encoding']) }),
    }
  }
  const childrenOf = (value: unknown, depth: number): (readonly [string | number, Tree])[] => {
    if (!Array.isArray(value)) fail('children must be a list')
    return value.map((entry: unknown) => {
      if (!Array.isArray(entry) || entry.length !== 2) fail('children must be [key, tree]')
      return [key(entry[0]), read(entry[1], depth + 1)]
    })
  }
  return read(value, 0)
}

const count = whole()
const devalue = (value: unknown): 'devalue' =>
  value === 'devalue' ? value : fail("must be 'devalue'")
const store = shape(
  {
    kind: oneOf('disk', 'memory', 'none'),
    head: count,
    first: count,
    events: count,
    bytes: count,
    limits: shape({ events: anyNumber, bytes: anyNumber, days: anyNumber }),
    outbox: shape({ pending: count, bytes: count, refused: count }),
    snapshots: listOf(shape({ key: text(300), bytes: count }, { offset: count }), 10_000),
  },
  {
    log: text(256),
    room: shape(
      {
        gaps: listOf(shape({ reason: text(64), from: text(256) }, { lost: text(256) }), 10_000),
      },
      { cursor: text(256), epoch: text(256), confirmed: number(), subject: shownText(256) },
    ),
    quota: shape({ usage: number(0), quota: number(0), persisted: flag }),
  },
)

/** JSON has no Infinity: no limit is `null`. */
function anyNumber(value: unknown): number {
  return value === null ? Number.POSITIVE_INFINITY : number(0)(value)
}

const fault = shape(
  {
    link: oneOf('tabs', 'relay'),
    do: oneOf('drop', 'delay', 'duplicate', 'cut'),
    forMs: number(0),
  },
  { patterns: listOf(pattern, 256), delayMs: number(0), share: number(0, 1) },
)

function logEvent(value: unknown): ReturnType<typeof readEvent> & { offset: number } {
  const event = readEvent(value)
  if (event.offset === undefined) fail('offset must be a whole number')
  return { ...event, offset: event.offset }
}

const readers: { readonly [What in Ask['what']]: Reader<unknown> } = {
  payload: readTree,
  text: shape({}, { text: text(1_000_000), encoding: devalue, redacted: count }),
  headers: shape({ events: readEvents, missing: readIds }),
  search: shape({ ids: listOf(headerText, 100_000), searched: count }),
  watch: () => ({}),
  store,
  log: shape({ events: listOf(logEvent, 10_000) }, { next: count }),
  view: shape({ tree: readTree }, { at: count }),
  travel: shape({ views: count }, { at: count }),
  publish: shape({ id: headerText }),
  replay: shape({ events: count, calls: count }),
  fault: (value) => {
    const given = fields(value)['fault']
    return { fault: given === null || given === undefined ? null : under('fault', fault, given) }
  },
  consumers: consuming,
  dead: deadLetters,
  redrive: settled,
  discard: settled,
}

/** What a peer answered to a question. @throws {Fault} */
export function readAnswer<What extends Ask['what']>(what: What, result: unknown): Answers[What] {
  return under('result', readers[what], result) as Answers[What]
}
