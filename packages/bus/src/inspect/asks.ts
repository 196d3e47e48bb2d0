/**
 * What a peer answers. Every question is checked, and what is wrong with it is said; nothing but
 * `publish`, `replay`, `travel` and `fault` changes anything.
 */
import type { Incoming } from '../dispatch/dispatch.ts'
import { type EventHeader, utf8Length } from '../event.ts'
import type { Log } from '../log/log.ts'
import type { Answers, Ask, Ids, InspectedEvent, Tree } from './frames.ts'
import { packIds, unpackIds } from './ids.ts'
import { AskError } from './outlet.ts'
import type { KeptEvent, Source } from './recorder.ts'
import type { Redactor } from './redactor.ts'
import { type Hides, openTree, type Path } from './tree.ts'

export interface AsksOptions {
  /** What is in the ring, the newest first. */
  readonly ring: () => Iterable<Source>
  readonly redactor: () => Redactor | undefined
  /** The log, where there is one. */
  readonly open: () => Promise<Log | undefined>
  readonly decode: (text: string, encoding: 'devalue' | undefined) => unknown
  readonly byId: (log: Log, id: string) => Promise<Incoming | undefined>
  /** As an `InspectedEvent`, as JSON. */
  readonly inspected: (event: KeptEvent) => string
}

const MAX_HEADERS = 1_000

export class Asks {
  readonly #options: AsksOptions

  constructor(options: AsksOptions) {
    this.#options = options
  }

  /** @throws {AskError | BusError} where it cannot be answered */
  async answer(ask: Ask): Promise<Answers[keyof Answers]> {
    switch (ask.what) {
      case 'payload':
        return this.#payload(ask)
      case 'headers':
        return this.#headers(ask.ids)
      default:
        throw new AskError('unknown_ask', `this peer cannot answer ${String(ask.what)}`)
    }
  }

  async #payload(ask: Extract<Ask, { what: 'payload' }>): Promise<Tree> {
    const { event: id, path, depth, from } = ask
    check(isText(id) && isPath(path) && isNumber(depth) && isNumber(from), 'payload')
    const event = await this.#find(id)
    if (!event) throw new AskError('not_found', `event ${id} is neither in the ring nor in the log`)
    const { dataText, type } = event
    const { encoding } = headerOf(event)
    const hides = this.#hides(type)
    const data = dataText === '' ? undefined : this.#options.decode(dataText, encoding)
    const tree = openTree(data, { path, depth, from, hides })
    if (path !== undefined && path.length > 0) return tree
    return { ...tree, bytes: utf8Length(dataText), encoding: encoding ?? 'json' }
  }

  #hides(type: string): Hides | undefined {
    const redactor = this.#options.redactor()
    return redactor && ((path) => redactor.hides(type, path))
  }

  async #headers(ids: Ids): Promise<Answers['headers']> {
    check(isIds(ids), 'headers')
    const events: InspectedEvent[] = []
    const missing: string[] = []
    for (const id of unpackIds(ids, MAX_HEADERS)) {
      const event = await this.#find(id)
      if (event) events.push(JSON.parse(this.#options.inspected(event)))
      else missing.push(id)
    }
    return { events, missing: packIds(missing) }
  }

  async #find(id: string): Promise<KeptEvent | undefined> {
    for (const source of this.#options.ring()) {
      const found = source.find((event) => event.id === id)
      if (found) return found
    }
    const log = await this.#options.open()
    const logged = log && (await this.#options.byId(log, id))
    return logged && keptOf(logged)
  }
}

/** An event of the log. */
export function keptOf({ header, dataText, offset, position }: Incoming): KeptEvent {
  const { id, type } = header
  const more = { ...(offset !== undefined && { offset }), ...(position && { position }) }
  return { id, type, header, dataText, cast: false, more }
}

export function headerOf({ header }: KeptEvent): EventHeader {
  return typeof header === 'string' ? (JSON.parse(header) as EventHeader) : header
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new AskError('invalid_ask', `${what} is not asked for like this`)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 256
}

function isNumber(value: unknown): boolean {
  return value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)
}

function isPath(path: unknown): path is Path | undefined {
  const isStep = (step: unknown): boolean => typeof step === 'string' || Number.isSafeInteger(step)
  return path === undefined || (Array.isArray(path) && path.length <= 100 && path.every(isStep))
}

function isIds(ids: unknown): ids is Ids {
  return (
    Array.isArray(ids) &&
    ids.every(
      (one) =>
        typeof one === 'string' ||
        (Array.isArray(one) &&
          typeof one[0] === 'string' &&
          Number.isSafeInteger(one[1]) &&
          Number.isSafeInteger(one[2])),
    )
  )
}
