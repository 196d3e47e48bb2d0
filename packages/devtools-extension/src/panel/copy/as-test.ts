/** A test, for Vitest, in which a delivery fails as it did in what was captured. */
import { siteWords } from '../model/index.ts'
import { literal, text } from './literal.ts'
import type { Place } from './test-places.ts'
import type { Miss, PlannedEvent, TestPlan } from './test-plan.ts'

/** Longer comments are broken. */
const LINE = 96

/** A subscription that takes part, under the name that what it got is noted by. */
interface Taker {
  readonly miss: Miss
  readonly label: string
}

/** The source of the test; `data` by event id. It runs as it is, and fails. */
export function asTest(plan: TestPlan, data: ReadonlyMap<string, unknown>): string {
  const { places, events, misses } = plan
  const inRooms = places.some(({ room }) => room !== undefined)
  const apart = [...new Set(misses.flatMap((miss) => (miss.how === 'apart' ? apartOf(miss) : [])))]
  const limited = misses.some(({ how }) => how === 'rights')
  const takers = takersOf(misses)
  const loops = takers.filter(({ miss: { how } }) => how === 'overflow')
  const publish = (event: PlannedEvent): string[] => {
    const own = misses.filter((miss) => miss.event === event)
    const lines = publishLines(event, data.get(event.row.id))
    return [
      ...lines,
      ...takers
        .filter(({ miss }) => miss.how === 'late' && miss.event === event)
        .flatMap(subscriptionLines),
      ...(own.some(({ how }) => how === 'overflow')
        ? ['// One more than the buffer holds.', ...again(lines)]
        : []),
    ]
  }
  const body = [
    ...networkLines(places, inRooms, limited),
    'const got: string[] = []',
    ...takers.filter(({ miss: { how } }) => how !== 'late').flatMap(subscriptionLines),
    'await network.settle()',
    ...apart.map((device) => `network.partition(${device})`),
    '',
    ...events.flatMap(publish),
    ...loops.flatMap(loopLines),
    'await network.run(5_000)',
    '',
    ...misses.flatMap((miss) => expectationLines(miss, labelOf(takers, miss))),
  ]
  return [
    "import { createTestNetwork } from '@crosstown/bus/testing'",
    ...(inRooms ? ["import { simulatedRelay } from '@crosstown/edge-relay/testing'"] : []),
    "import { expect, test } from 'vitest'",
    '',
    `test(${text(titleOf(misses))}, async () => {`,
    ...indented(body),
    '})',
    '',
  ].join('\n')
}

function takersOf(misses: readonly Miss[]): Taker[] {
  const takers = new Map<string, Taker>()
  const counts = new Map<string, number>()
  for (const miss of misses) {
    const key = keyOf(miss)
    if (takers.has(key)) continue
    const { variable } = miss.place
    const n = (counts.get(variable) ?? 0) + 1
    counts.set(variable, n)
    takers.set(key, { miss, label: n === 1 ? variable : `${variable}No${n}` })
  }
  return [...takers.values()]
}

/** Deliveries that one subscription makes, and fails to make. */
function keyOf({ place, patterns, how, event, message }: Miss): string {
  const { id, type } = event.row.event
  const own = how === 'late' ? id : how === 'throws' ? [type, message] : ''
  return JSON.stringify([place.variable, patterns, how, own])
}

function labelOf(takers: readonly Taker[], miss: Miss): string {
  return takers.find((taker) => keyOf(taker.miss) === keyOf(miss))?.label ?? miss.place.variable
}

/** The same event once more, without a name. */
function again(lines: readonly string[]): string[] {
  return [(lines[0] ?? '').replace(/^const \w+ = /, ''), ...lines.slice(1)]
}

function titleOf(misses: readonly Miss[]): string {
  const [first] = misses as readonly [Miss]
  const more = misses.length > 1 ? `, and ${misses.length - 1} more` : ''
  return `${deliveryOf(first)}${more}`
}

function deliveryOf({ event, place }: Miss): string {
  return `${event.row.event.type} comes to ${place.name}`
}

function networkLines(places: readonly Place[], inRooms: boolean, limited: boolean): string[] {
  const devices = [...new Set(places.map(({ device }) => device))]
  return [
    ...(limited ? rightsLines(places) : []),
    inRooms
      ? `const network = createTestNetwork({ relay: simulatedRelay(${limited ? '{ auth }' : ''}) })`
      : 'const network = createTestNetwork()',
    ...devices.map((device) => `const ${device} = network.device(${text(device)})`),
    'const onError = () => {}',
    ...places.map(({ variable, device, kind, bus, source, room }) => {
      const options = [
        `name: ${text(bus)}`,
        `source: ${text(source)}`,
        ...(room === undefined ? [] : [`room: ${text(room)}`]),
        ...(room !== undefined && limited ? [`token: ${text(device)}`] : []),
        'onError',
      ]
      return `const ${variable} = ${device}.open(${text(kind)}).createBus({ ${options.join(', ')} })`
    }),
  ]
}

/** What each device's token allows, as the room told it. */
function rightsLines(places: readonly Place[]): string[] {
  const all = { publish: ['**'], subscribe: ['**'] }
  const rights = Object.fromEntries(
    places.map(({ device, rights }) => [
      device,
      rights ? { publish: [...rights.publish], subscribe: [...rights.subscribe] } : all,
    ]),
  )
  return [
    ...`const rights: Record<string, { publish: string[]; subscribe: string[] }> = ${literal(rights)}`.split(
      '\n',
    ),
    "const auth = (token = '') => {",
    '  const allowed = rights[token]',
    '  return allowed && { subject: token, rights: allowed }',
    '}',
  ]
}

/** The device that is without the relay: whose events wait, or else who waits for them. */
function apartOf({ event, place, why }: Miss): string[] {
  const waits = why.includes('outbox')
  return [waits ? event.place.device : place.device]
}

function subscriptionLines({ miss, label }: Taker): string[] {
  const { event, place, how, patterns, site, message } = miss
  const [only] = patterns
  const pattern = patterns.length === 1 && only !== undefined ? text(only) : literal(patterns)
  const where = `${place.name}${siteWords(site)}`
  if (how === 'overflow')
    return [
      '',
      ...comment(`${where}; its buffer is as small as can be here.`),
      `const ${label}Loop = ${place.variable}.events(${pattern}, { buffer: 1, overflow: 'drop-oldest' })`,
    ]
  const { type } = event.row.event
  return [
    '',
    ...comment(where),
    `${place.variable}.subscribe(`,
    `  ${pattern},`,
    how === 'throws' ? '  ({ id, type }) => {' : '  ({ id }) => {',
    ...(how === 'throws'
      ? [
          '    // The handler that threw goes here.',
          `    if (type === ${text(type)}) throw new Error(${text(message ?? '')})`,
        ]
      : []),
    `    got.push(\`${label} \${id}\`)`,
    '  },',
    ...(how === 'where'
      ? ['  // The function that did not let it through goes here.', '  { where: () => false },']
      : []),
    ')',
  ]
}

function publishLines({ row, variable, place, cause }: PlannedEvent, data: unknown): string[] {
  const { type, stream, scope, persist } = row.event
  const options = [
    ...(stream === undefined ? [] : [`stream: ${text(stream)}`]),
    ...(scope === undefined ? [] : [`scope: ${text(scope)}`]),
    // What stays in its context is kept nowhere.
    ...(persist === false && scope !== 'context' ? ['persist: false'] : []),
    ...(cause === undefined ? [] : [`causationId: ${cause}.id`]),
  ]
  const given = [
    text(type),
    ...(data === undefined && options.length === 0 ? [] : [literal(data)]),
    ...(options.length === 0 ? [] : [`{ ${options.join(', ')} }`]),
  ]
  const publish = `${place.variable}.publish(${given.join(', ')})`
  return `const ${variable} = await network.until(${publish})`.split('\n')
}

function loopLines({ label }: Taker): string[] {
  return [
    'void (async () => {',
    `  for await (const { id } of ${label}Loop) got.push(\`${label} \${id}\`)`,
    '})()',
  ]
}

function expectationLines(miss: Miss, label: string): string[] {
  return [
    ...comment(miss.why),
    `expect.soft(got, ${text(deliveryOf(miss))}).toContain(\`${label} \${${miss.event.variable}.id}\`)`,
  ]
}

/** A text as lines of a comment. */
function comment(words: string): string[] {
  const lines: string[] = []
  let line = '//'
  for (const word of words.split(/\s+/)) {
    if (line.length + word.length + 1 > LINE && line !== '//') {
      lines.push(line)
      line = '//'
    }
    line += ` ${word}`
  }
  return [...lines, line]
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => (line === '' ? '' : `  ${line}`))
}
