import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lastPlace, type RoomHead, type RoomRecord, START } from './record.ts'
import { type SharedReadsLimits, sharedReads } from './shared-reads.ts'
import { memoryStore } from './stores/memory.ts'
import { sqliteStore } from './stores/sqlite.ts'
import type { Store } from './stores/store.ts'
import { CountingStore } from './testing/counting-store.ts'
import { storeContract } from './testing/store-contract.ts'

const KB = 1024
const CHUNK = { events: 1_000, bytes: 512 * KB }
const KEEP = { events: 1_000_000, bytes: 1_000 * KB * KB, since: 0 }

let folder = ''
let files = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-shared-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const newFile = (): string => join(folder, `${++files}.db`)

storeContract(
  { describe, it, expect },
  'sharedReads of a store for one',
  async () => {
    const path = newFile()
    return {
      store: sharedReads(sqliteStore(path)),
      reopen: async () => sharedReads(sqliteStore(path)),
    }
  },
  { lasts: true },
)

storeContract({ describe, it, expect }, 'sharedReads of a store for many', async () => ({
  store: sharedReads(memoryStore()),
}))

/** Appends records of so many bytes each to a room, behind a head that it keeps. */
class Writer {
  head: RoomHead = { epoch: 'e', version: 0, ...START, time: 0 }
  readonly #store: Store
  readonly #room: string

  constructor(store: Store, room = 'r') {
    this.#store = store
    this.#room = room
  }

  async write(count: number, bytes = 100): Promise<void> {
    for (let i = 0; i < count; i++) {
      const { head } = this
      const record = recordAt(head.place + 1, bytes)
      const { place, chain } = { place: lastPlace(record), chain: record.chain }
      this.head = {
        ...head,
        version: head.version + 1,
        place,
        check: `${place}`,
        chain,
        time: place,
      }
      const append = { expected: head, head: this.head, records: [record], state: [] }
      expect(await this.#store.append(this.#room, append)).toBe(true)
    }
  }
}

/** Of two events. */
function recordAt(place: number, bytes: number): RoomRecord {
  const headers = [0, 1].map((i) => ({ id: `a-${place + i}`, type: 'a.b', source: 's', time: 1 }))
  return {
    ...{ place, count: 2, time: place, device: 'd', batch: place, lastId: `a-${place + 1}` },
    ...{ indexes: [0, 1], headers, headerLines: headers.map((header) => JSON.stringify(header)) },
    ...{ data: ['1', '2'], bytes, before: `${place - 1}`, chain: `${place + 1}` },
  }
}

const placesOf = (records: readonly RoomRecord[]) => records.map(({ place }) => place)

function setup(inner: Store, limits?: SharedReadsLimits) {
  const counting = new CountingStore(inner)
  const store = sharedReads(counting.store, limits)
  return { counting, store, writer: new Writer(store) }
}

it('what a store says of itself is said of it', async () => {
  const inner = sqliteStore(newFile())
  const { durability, engine, exclusive } = sharedReads(inner)
  expect({ durability, engine, exclusive }).toEqual({
    durability: 'disk',
    engine: 'sqlite',
    exclusive: true,
  })
  expect(sharedReads(memoryStore()).exclusive).toBe(false)
  await inner.close()
})

describe('what is read again', () => {
  it('is read from the store once, by whoever comes at whatever place of it, then or later', async () => {
    const { counting, store, writer } = setup(sqliteStore(newFile()))
    await writer.write(20)
    const both = await Promise.all([store.read('r', 10, CHUNK), store.read('r', 10, CHUNK)])
    expect(placesOf(both[0])).toEqual(placesOf(both[1]))
    expect(placesOf(await store.read('r', 10, CHUNK))).toEqual(placesOf(both[0]))
    expect(placesOf(await store.read('r', 31, CHUNK))).toEqual([31, 33, 35, 37, 39])
    expect(placesOf(await store.read('r', 12, { events: 5, bytes: KB }))).toEqual([13, 15])
    expect(counting.count('read', 'r')).toBe(1)
    // What was before is not known yet; together it is one piece.
    expect(placesOf(await store.read('r', 0, { events: 10, bytes: KB }))).toEqual([1, 3, 5, 7, 9])
    expect(placesOf(await store.read('r', 4, CHUNK))[0]).toBe(5)
    expect(counting.count('read', 'r')).toBe(2)
    await store.close()
  })

  it('begins where it begins for all who ask at once, and asks again once it was trimmed', async () => {
    const { counting, store, writer } = setup(sqliteStore(newFile()))
    await writer.write(3)
    const [a, b] = await Promise.all([store.first('r'), store.first('r')])
    expect(b).toEqual(a)
    expect(counting.count('first', 'r')).toBe(1)
    await store.trim('r', { events: 2, bytes: KB, since: 0 }, CHUNK)
    expect(await store.first('r')).not.toEqual(a)
    expect(counting.count('first', 'r')).toBe(2)
    await store.close()
  })

  it('ends where it ends also where other rooms were used while it was written to', async () => {
    const inner = sqliteStore(newFile())
    const { store, writer } = setup(inner, { rooms: 1 })
    await writer.write(1)
    const { append } = inner
    let write = (): void => {}
    const held = new Promise<void>((resolve) => {
      write = resolve
    })
    inner.append = async (...args) => {
      await held
      return append.apply(inner, args)
    }
    const writing = writer.write(1)
    await store.head('other')
    expect((await store.head('r'))?.place).toBe(2)
    write()
    await writing
    expect(await store.head('r')).toEqual(writer.head)
    await store.close()
  })

  it('has what was appended since, as long as somebody reads', async () => {
    const { counting, store, writer } = setup(sqliteStore(newFile()), { roomBytes: 10 * KB })
    await writer.write(3)
    await store.read('r', 0, CHUNK)
    await writer.write(3)
    expect(placesOf(await store.read('r', 2, CHUNK))).toEqual([3, 5, 7, 9, 11])
    expect(counting.count('read', 'r')).toBe(1)
    // More than is kept, and nobody was there for it.
    await writer.write(5, 3 * KB)
    expect(placesOf(await store.read('r', 20, CHUNK))).toEqual([21])
    expect(counting.count('read', 'r')).toBe(2)
    await store.close()
  })

  it('is no more than fits, of a room and of all, whatever is read', async () => {
    const { counting, store, writer } = setup(sqliteStore(newFile()), {
      roomBytes: 10 * KB,
      bytes: 15 * KB,
    })
    await writer.write(20, KB)
    await store.read('r', 0, CHUNK)
    expect(placesOf(await store.read('r', 20, CHUNK))[0]).toBe(21)
    expect(counting.count('read', 'r')).toBe(1)
    await store.read('r', 0, CHUNK)
    expect(counting.count('read', 'r')).toBe(2)
    await new Writer(store, 'q').write(20, KB)
    await store.read('q', 0, CHUNK)
    await store.read('r', 30, CHUNK)
    expect(counting.count('read', 'r')).toBe(3)
    await store.close()
  })

  it('is not what was trimmed away meanwhile', async () => {
    const { store, writer } = setup(sqliteStore(newFile()))
    await writer.write(5)
    expect((await store.first('r')).place).toBe(0)
    await store.read('r', 0, CHUNK)
    expect(await store.trim('r', { ...KEEP, events: 4 }, CHUNK)).toBe(false)
    expect((await store.first('r')).place).toBe(6)
    expect(placesOf(await store.read('r', 0, CHUNK))).toEqual([7, 9])
    await store.close()
  })
})

describe('where a room begins and ends', () => {
  it('is asked once of a store that nobody else writes to', async () => {
    const { counting, store, writer } = setup(sqliteStore(newFile()))
    await writer.write(2)
    for (let again = 0; again < 3; again++) {
      expect(await store.head('r')).toEqual(writer.head)
      expect((await store.first('r')).place).toBe(0)
    }
    await writer.write(1)
    expect(await store.head('r')).toEqual(writer.head)
    expect(counting.of('r')).toEqual({ append: 3, first: 1 })
    await store.close()
  })

  it('is asked each time of one that others write to, and what they changed is read anew', async () => {
    const inner = memoryStore()
    const { counting, store, writer } = setup(inner)
    await writer.write(3)
    await store.read('r', 0, CHUNK)
    await store.read('r', 0, CHUNK)
    expect(counting.count('read', 'r')).toBe(1)
    // Another process writes.
    const other = new Writer(inner)
    other.head = writer.head
    await other.write(1)
    expect(await store.head('r')).toEqual(other.head)
    expect(placesOf(await store.read('r', 0, CHUNK))).toEqual([1, 3, 5, 7])
    const { head } = other
    const append = { expected: writer.head, head, records: [recordAt(7, 1)], state: [] }
    expect(await store.append('r', append)).toBe(false)
    expect(placesOf(await store.read('r', 2, CHUNK))).toEqual([3, 5, 7])
  })
})

it('a read that failed is not shared with those who come later', async () => {
  const inner = memoryStore()
  let broken = true
  const failing: Store = new Proxy(inner, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key)
      if (key === 'read' && broken) return () => Promise.reject(new Error('not now'))
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const { store, writer } = setup(failing)
  await writer.write(2)
  await expect(store.read('r', 0, CHUNK)).rejects.toThrow('not now')
  broken = false
  expect(placesOf(await store.read('r', 0, CHUNK))).toEqual([1, 3])
})
