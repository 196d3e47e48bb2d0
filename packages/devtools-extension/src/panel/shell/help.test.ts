import { expect, test } from 'vitest'
import { createFiltered, createHub } from '../model/index.ts'
import { QUERY } from './help.tsx'

test.each(QUERY.map(([query]) => query))(
  'the filter understands what the help says: %s',
  (query) => {
    const hub = createHub([])
    const filtered = createFiltered(hub.session, '', hub)
    filtered.setQuery(query)
    expect(filtered.query.faults).toEqual([])
    expect(filtered.query.terms.length).toBeGreaterThan(0)
    filtered.setQuery('dur:>soon')
    expect(filtered.query.faults).toHaveLength(1)
    filtered.close()
    hub.close()
  },
)
