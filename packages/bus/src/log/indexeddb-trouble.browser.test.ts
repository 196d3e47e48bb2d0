import { describe, expect, it } from 'vitest'
import { cdp } from 'vitest/browser'
import { indexedDbLog } from '../indexed-db-log.ts'
import { runtimePlatform } from '../platform.ts'
import { joined, own, room } from '../testing/log-records.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import type { Log } from './log.ts'

interface Protocol {
  send(method: string, params: Record<string, unknown>): Promise<unknown>
}

const platform = runtimePlatform()
let names = 0
const fresh = (): string => `trouble-${Date.now()}-${++names}`
const open = (name: string, on = platform): Log => indexedDbLog().create(name, 'room', on)
const databaseOf = (name: string): string => `crosstown:${name}:room`

/** The database as somebody has it open who lets nobody else have it. */
function stubborn(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(databaseOf(name))
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** What a log tells its watcher. */
const loss = (log: Log): Promise<string> =>
  new Promise((resolve) => log.watch((error) => resolve(error.code)))

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error) => error.code,
  )

describe('a log whose database is deleted', () => {
  it('rejects what is being written, and hangs nowhere', async () => {
    const name = fresh()
    const [writer, other] = [open(name), open(name)]
    await Promise.all([writer.open(), other.open()])
    const term = await joined(writer)
    const lost = loss(writer)
    const writes = Array.from({ length: 300 }, (_, n) =>
      codeOf(writer.append(own([[`a-${n + 1}`, { stream: `s-${n % 7}` }]]))),
    )
    writes.push(codeOf(writer.appendRoom(room('E.0.0', 'E.1.x', []), term)))
    writes.push(codeOf(writer.state()))
    await other.clear()
    expect(await lost).toBe('log_cleared')
    const codes = await Promise.all(writes)
    expect([...new Set(codes)].filter((code) => code !== 'done')).toEqual(['log_cleared'])
    expect(await codeOf(writer.append(own([['a-400']])))).toBe('log_cleared')
    await writer.close()
    const next = open(name)
    expect((await next.open()).head.batch).toBe(0)
    await next.close()
  })

  it('gives up when somebody does not let go, and is deleted once they do', async () => {
    const name = fresh()
    const virtual = new VirtualPlatform({ seed: 7 })
    const log = open(name, virtual)
    await log.open()
    const holder = await stubborn(name)
    const asked = new Promise((resolve) => {
      holder.onversionchange = resolve
    })
    const cleared = codeOf(log.clear())
    await asked
    const reopened = open(name, virtual)
    const opened = codeOf(reopened.open())
    virtual.advance(10_000)
    expect(await cleared).toBe('log_unavailable')
    expect(await opened).toBe('log_unavailable')
    expect(virtual.timers).toBe(0)
    holder.close()
    // What was opened too late was closed again, and blocks nobody.
    const next = open(name)
    expect((await next.open()).head.batch).toBe(0)
    await next.clear()
  })

  it('is opened after all when those who held it let go in time', async () => {
    const name = fresh()
    const log = open(name)
    const { logId } = await log.open()
    const holder = await stubborn(name)
    const asked = new Promise((resolve) => {
      holder.onversionchange = resolve
    })
    const cleared = log.clear()
    await asked
    const next = open(name)
    const opened = next.open()
    holder.close()
    await cleared
    expect((await opened).logId).not.toBe(logId)
    await next.close()
  })
})

it('a log that a later version takes over lets go, and cannot be opened any more', async () => {
  const name = fresh()
  const log = open(name)
  await log.open()
  const lost = loss(log)
  const upgraded = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(databaseOf(name), 2)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  expect(await lost).toBe('log_lost')
  expect(await codeOf(log.append(own([['a-1']])))).toBe('log_lost')
  expect(await codeOf(open(name).open())).toBe('log_unavailable')
  upgraded.close()
})

it('a log closed while it opens lets go of the database', async () => {
  const name = fresh()
  const log = open(name)
  const opened = codeOf(log.open())
  await log.close()
  expect(['closed', 'done']).toContain(await opened)
  const next = open(name)
  await next.open()
  await next.clear()
})

it('site data that is deleted under a log ends its connection with a typed error', async () => {
  const name = fresh()
  const log = open(name)
  await log.open()
  await log.append(own([['a-1']]))
  const lost = loss(log)
  const write = codeOf(log.append(own([['a-2']])))
  await (cdp() as unknown as Protocol).send('Storage.clearDataForOrigin', {
    origin: location.origin,
    storageTypes: 'indexeddb',
  })
  expect(['log_lost', 'log_cleared']).toContain(await lost)
  expect(['done', 'log_lost', 'log_cleared']).toContain(await write)
  expect(['log_lost', 'log_cleared']).toContain(await codeOf(log.append(own([['a-3']]))))
  expect(['log_lost', 'log_cleared']).toContain(await codeOf(log.read(0, 1)))
  await log.close()
  const next = open(name)
  expect((await next.open()).head.batch).toBe(0)
  await next.close()
})

describe('a lease', () => {
  it('is held by one at a time, until it is given back or lapses', async () => {
    const name = fresh()
    const [a, b] = [open(name), open(name)]
    await Promise.all([a.open(), b.open()])
    const took = await Promise.all([a.lease?.('a', 1_000, 500), b.lease?.('b', 1_000, 500)])
    expect(took.filter(Boolean)).toHaveLength(1)
    const [first, second] = took[0] ? (['a', 'b'] as const) : (['b', 'a'] as const)
    expect(await a.lease?.(first, 1_300, 500)).toBe(true)
    expect(await b.lease?.(second, 1_799, 500)).toBe(false)
    expect(await b.lease?.(second, 1_800, 500)).toBe(true)
    expect(await a.lease?.(first, 1_900, 500)).toBe(false)
    await a.releaseLease?.(first)
    expect(await a.lease?.(first, 1_900, 500)).toBe(false)
    await b.releaseLease?.(second)
    expect(await a.lease?.(first, 1_900, 500)).toBe(true)
    await Promise.all([a.close(), b.close()])
  })

  it('does not outlast a clock that was set back', async () => {
    const log = open(fresh())
    await log.open()
    expect(await log.lease?.('a', 1_000_000, 500)).toBe(true)
    expect(await log.lease?.('b', 999_900, 500)).toBe(false)
    expect(await log.lease?.('b', 5_000, 500)).toBe(true)
    await log.close()
  })
})
