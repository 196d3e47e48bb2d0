/** The query of `GET /rooms/:room/events`, checked. */
import { isHeaderText, isPattern } from '@crosstown/bus/protocol'
import { badRequest } from './errors.ts'
import { timeOf } from './publish.ts'

/** Which events to read. */
export interface EventFilter {
  readonly types: readonly string[]
  readonly stream?: string
  readonly correlationId?: string
}

/** Where to begin to read. */
export interface Beginning {
  /** Written at or after this; milliseconds since 1970. */
  readonly since?: number
  /** Behind this position, or `'now'`: behind the newest event. */
  readonly after?: string
}

/** What to read; as the query says it. */
export interface EventQuery extends EventFilter, Beginning {
  readonly limit: number
  /** How long a page may wait for its first event, in milliseconds; 0 is not at all. */
  readonly waitMs: number
}

/** The `after` of those who want no history. */
export const NOW = 'now'

const DEFAULT_PAGE = 100
/** What stands between reader and relay often cuts a request that is silent for longer. */
export const MAX_WAIT_MS = 60_000

const FILTERS = ['type', 'stream', 'correlation_id', 'since', 'after']
const OF_PAGES = ['limit', 'wait']

/**
 * The query of a read.
 *
 * @param most events of one page
 * @throws {BusError} invalid_options, invalid_pattern
 */
export function parseQuery(
  query: URLSearchParams,
  as: 'page' | 'stream',
  most: number,
): EventQuery {
  const known = as === 'page' ? [...FILTERS, ...OF_PAGES] : FILTERS
  for (const key of new Set(query.keys())) {
    if (!known.includes(key)) {
      const why = OF_PAGES.includes(key) ? 'is for pages; an event stream takes' : 'is unknown; use'
      throw badRequest(`${key.slice(0, 80)} ${why} ${known.join(', ')}`)
    }
    if (key !== 'type' && query.getAll(key).length > 1) throw badRequest(`give ${key} once`)
  }
  const since = query.get('since')
  const stream = textIn(query, 'stream')
  const correlationId = textIn(query, 'correlation_id')
  const after = query.get('after')
  return {
    types: typesIn(query),
    limit: countIn(query, 'limit', DEFAULT_PAGE, [1, most]),
    waitMs: countIn(query, 'wait', 0, [0, MAX_WAIT_MS]),
    ...(stream !== undefined && { stream }),
    ...(correlationId !== undefined && { correlationId }),
    ...(since !== null && {
      since: timeOf(/^-?\d+(\.\d+)?$/.test(since) ? Number(since) : since, 'since'),
    }),
    ...(after !== null && { after }),
  }
}

function typesIn(query: URLSearchParams): string[] {
  const types = query.getAll('type')
  for (const type of types) {
    if (!isPattern(type))
      throw badRequest(`type=${String(type).slice(0, 80)} is not a pattern`, 'invalid_pattern')
  }
  return types
}

function textIn(query: URLSearchParams, key: string): string | undefined {
  const text = query.get(key) ?? undefined
  if (text === undefined || isHeaderText(text)) return text
  throw badRequest(`${key} must be 1 to 256 characters without control characters`)
}

function countIn(
  query: URLSearchParams,
  key: string,
  otherwise: number,
  [least, most]: readonly [number, number],
): number {
  const text = query.get(key)
  if (text === null) return otherwise
  const count = Number(text)
  if (/^\d+$/.test(text) && count >= least && count <= most) return count
  const unit = key === 'wait' ? ' of milliseconds' : ''
  throw badRequest(`${key} must be a whole number${unit} from ${least} to ${most}`)
}
