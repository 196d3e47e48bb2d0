import { expect, test } from 'vitest'
import { createBus } from '../bus.ts'
import { indexedDbLog } from '../indexed-db-log.ts'
import type { Bus } from '../types.ts'

let names = 0
const fresh = (): string => `view-${Date.now()}-${++names}`
const open = (name: string): Bus<Record<string, unknown>> =>
  createBus({ name, log: indexedDbLog({ required: true }), onError: () => {} })

/** Numbers of the records that are read from the log of this name, from now on. */
function watchReads(): { readonly keys: IDBValidKey[]; stop(): void } {
  const keys: IDBValidKey[] = []
  const { getAll } = IDBObjectStore.prototype
  IDBObjectStore.prototype.getAll = function (query, count) {
    if (this.name === 'batches') keys.push((query as IDBKeyRange).lower)
    return getAll.call(this, query, count)
  }
  return {
    keys,
    stop() {
      IDBObjectStore.prototype.getAll = getAll
    },
  }
}

/** How often each type was published, and what was published of it last. */
type Counts = ReadonlyMap<string, { readonly times: number; readonly last: unknown }>
function project(bus: Bus<Record<string, unknown>>) {
  return bus.project(
    '**',
    (counts: Counts, { type, data }): Counts =>
      new Map(counts).set(type, { times: (counts.get(type)?.times ?? 0) + 1, last: data }),
    new Map(),
    { key: 'counts' },
  )
}

test('a view of a page that comes back goes on from the snapshot in its database', async () => {
  const name = fresh()
  const first = open(name)
  const view = project(first)
  await view.ready
  for (let n = 0; n < 60; n++) await first.publish(`type.${n % 3}`, new Date(n))
  expect(view.get().get('type.2')).toEqual({ times: 20, last: new Date(59) })
  await first.close()

  const other = open(name)
  await other.publish('type.0', 'last')
  await other.close()
  const again = open(name)
  // What else a bus reads when it is opened.
  await again.status.subscribe(() => {})
  await expect.poll(() => again.status.leader).toBe(true)
  const reads = watchReads()
  const second = project(again)
  await second.ready
  reads.stop()
  expect(second.get().get('type.0')).toEqual({ times: 21, last: 'last' })
  expect(second.get().get('type.2')).toEqual({ times: 20, last: new Date(59) })
  expect(reads.keys).toEqual([61])
  await again.close()
})

test('views of two tabs follow what the other publishes', async () => {
  const name = fresh()
  const [one, two] = [open(name), open(name)]
  const [mine, theirs] = [project(one), project(two)]
  await Promise.all([mine.ready, theirs.ready])
  for (let n = 0; n < 10; n++) {
    await (n % 2 === 0 ? one : two).publish('a', n)
    expect((n % 2 === 0 ? mine : theirs).get().get('a')?.last).toBe(n)
    await expect
      .poll(() => [mine, theirs].map((view) => view.get().get('a')?.times))
      .toEqual([n + 1, n + 1])
  }
  await one.clear()
  expect(mine.get().size).toBe(0)
  await two.publish('b', 1)
  await expect
    .poll(() => [mine, theirs].map((view) => [...view.get().keys()]))
    .toEqual([['b'], ['b']])
  await Promise.all([one.close(), two.close()])
})
