/** The query of `GET /rooms/:room/events`, checked. */
import { badRequest } from './errors.ts'
import {
  checked,
  msOf,
  type PageParameters,
  pageQuery,
  StreamQuery,
  streamParameters,
  UNKNOWN,
} from './schemas.ts'

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

const OF_PAGES: ReadonlySet<PropertyKey> = new Set(['limit', 'wait'])
const FILTERS = Object.keys(streamParameters)

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
  const given = valuesOf(query)
  const name = nameIn(given, as)
  const page: PageParameters =
    as === 'page'
      ? checked(pageQuery(most), given, name)
      : { ...checked(StreamQuery, given, name), limit: most, wait: 0 }
  const { after, correlation_id: correlationId, limit, since, stream, type, wait } = page
  return {
    types: type,
    limit,
    waitMs: wait,
    ...(stream !== undefined && { stream }),
    ...(correlationId !== undefined && { correlationId }),
    ...(since !== undefined && { since: msOf(since) }),
    ...(after !== undefined && { after }),
  }
}

/** The parameters by name, numbers as numbers: what a schema knows of a query. */
function valuesOf(query: URLSearchParams): Readonly<Record<string, unknown>> {
  const given: Record<string, unknown> = Object.create(null)
  for (const key of new Set(query.keys())) {
    const [first = '', ...more] = query.getAll(key)
    if (key === 'type') given[key] = [first, ...more]
    else if (more.length > 0) throw badRequest(`give ${key.slice(0, 80)} once`)
    else if (OF_PAGES.has(key)) given[key] = /^\d+$/.test(first) ? Number(first) : first
    else if (key === 'since') given[key] = /^-?\d+(\.\d+)?$/.test(first) ? Number(first) : first
    else given[key] = first
  }
  return given
}

function nameIn(given: Readonly<Record<string, unknown>>, as: 'page' | 'stream') {
  return ([key = '', index]: readonly PropertyKey[], what: string): string => {
    if (what === UNKNOWN) {
      const known = as === 'page' ? [...FILTERS, ...OF_PAGES] : FILTERS
      const why = OF_PAGES.has(key) ? 'is for pages; an event stream takes' : 'is unknown; use'
      return `${String(key).slice(0, 80)} ${why} ${known.join(', ')}`
    }
    if (typeof index !== 'number') return `${String(key)} ${what}`
    return `${String(key)}=${String((given[key as string] as unknown[])[index]).slice(0, 80)} ${what}`
  }
}
