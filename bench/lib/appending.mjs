// Appends as a room makes them, without the room.
import { dataOf, TYPE } from '../pages/events.mjs'

/** A function that appends the next so many events to a room of a store. */
export function appending(store, room, each) {
  let head = { epoch: 'e', version: 0, place: 0, check: '0', chain: '', time: 0 }
  return async () => {
    const place = head.place + each
    const next = { ...head, version: head.version + 1, place, check: `${place}`, time: place }
    const records = [recordAt(head.place + 1, each)]
    const append = { expected: head, head: next, records, state: [] }
    if (!(await store.append(room, append))) throw new Error('the store has another head')
    head = next
  }
}

/** A batch of events, the first of which is at this place. */
export function recordAt(place, count) {
  const headers = Array.from({ length: count }, (_, i) => ({
    id: `kJ2x90aQpLm3-${place + i}`,
    type: TYPE,
    source: 'page',
    time: 1_800_000_000_000,
  }))
  const headerLines = headers.map((header) => JSON.stringify(header))
  const data = headers.map((_, i) => JSON.stringify(dataOf(place + i)))
  return {
    ...{ place, count, time: place, device: 'device', batch: place },
    ...{ lastId: headers.at(-1).id, indexes: headers.map((_, i) => i), headers, headerLines, data },
    ...{ bytes: Buffer.byteLength([...headerLines, ...data].join('')), before: '', chain: '' },
  }
}
