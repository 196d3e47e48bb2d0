/** Filters that were given a name, to be used again. */

export interface SavedQuery {
  readonly name: string
  readonly text: string
}

const MAX_QUERIES = 100
const MAX_NAME = 80
const MAX_TEXT = 2048

/** The list with one more, in place of another of its name; the oldest make room. */
export function withQuery(
  queries: readonly SavedQuery[],
  { name, text }: SavedQuery,
): readonly SavedQuery[] {
  const query = { name: name.trim().slice(0, MAX_NAME), text: text.trim().slice(0, MAX_TEXT) }
  const index = queries.findIndex((one) => one.name === query.name)
  return index < 0 ? [...queries, query].slice(-MAX_QUERIES) : queries.with(index, query)
}

export function withoutQuery(queries: readonly SavedQuery[], name: string): readonly SavedQuery[] {
  return queries.filter((one) => one.name !== name)
}

/** Those of a list that others may have written. */
export function parseQueries(value: unknown): readonly SavedQuery[] {
  if (!Array.isArray(value)) return []
  let queries: readonly SavedQuery[] = []
  for (const one of value) {
    const { name, text } = (one ?? {}) as Partial<Record<keyof SavedQuery, unknown>>
    if (isText(name, MAX_NAME) && isText(text, MAX_TEXT))
      queries = withQuery(queries, { name, text })
  }
  return queries
}

function isText(value: unknown, most: number): value is string {
  return typeof value === 'string' && value.trim() !== '' && value.length <= most
}

/** Those that what is being typed may stand for: all where nothing is. */
export function matchingQueries(
  queries: readonly SavedQuery[],
  word: string,
): readonly SavedQuery[] {
  const wanted = word.trim().toLowerCase()
  return queries.filter(({ name }) => name.toLowerCase().includes(wanted))
}
