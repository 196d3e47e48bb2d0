import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lastPlace } from '../record.ts'
import { storeContract } from '../testing/store-contract.ts'
import { sqliteStore } from './sqlite.ts'
import type { Append } from './store.ts'

let folder = ''
let files = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-store-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const newFile = (): string => join(folder, `sub-${++files}`, 'events.db')

storeContract({ describe, it, expect }, 'sqliteStore', async () => {
  const path = newFile()
  return { store: sqliteStore(path), reopen: async () => sqliteStore(path) }
})

/** Appends two records at a time as fast as it can, and says how far it got. */
const KILLED = `
const { sqliteStore } = await import(process.argv[1])
const store = sqliteStore(process.argv[2])
let head = { epoch: 'e', version: 0, place: 0, check: '0', time: 0 }
const record = (place) => {
  const headers = Array.from({ length: 50 }, (_, i) => ({ id: 'a-' + (place + i), type: 'a.b', source: 's', time: 1 }))
  const data = headers.map(({ id }) => JSON.stringify({ id, filler: 'x'.repeat(500) }))
  return {
    place, count: 50, time: place, lastId: headers.at(-1).id, indexes: headers.map((_, i) => i),
    headers, headerLines: headers.map((header) => JSON.stringify(header)), data, bytes: 1,
  }
}
for (;;) {
  const version = head.version + 1
  const next = { ...head, version, place: head.place + 100, time: version }
  const records = [record(head.place + 1), record(head.place + 51)]
  await store.append('r', { expected: head, head: next, records, state: [['version', String(version)]] })
  head = next
  process.stdout.write(version + '\\n')
}
`

describe('sqliteStore', () => {
  it('says that it keeps rooms on disk', async () => {
    const store = sqliteStore(newFile())
    expect(store.durability).toBe('disk')
    await store.close()
    await store.close()
  })

  it('writes what it can where one of the rooms that share a transaction cannot be written', async () => {
    const store = sqliteStore(newFile())
    const head = { epoch: 'e', version: 0, place: 0, check: '0', time: 0 }
    const row = (key: string): Append => ({
      expected: head,
      head: { ...head, version: 1 },
      records: [],
      state: [[key, 'x']],
    })
    const bad = { ...row('b'), head: { ...head, version: 0.5 } }
    const results = await Promise.allSettled([
      store.append('a', row('a')),
      store.append('b', bad),
      store.append('c', row('c')),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect((await store.load('a'))?.state).toEqual([['a', 'x']])
    expect(await store.load('b')).toBe(undefined)
    expect((await store.load('c'))?.state).toEqual([['c', 'x']])
    await store.close()
  })

  it('fails with a code where it cannot be opened', async () => {
    const file = join(folder, 'a-file')
    await writeFile(file, 'x'.repeat(5_000))
    expect(() => sqliteStore(join(file, 'events.db'))).toThrow(
      expect.objectContaining({ code: 'log_unavailable' }),
    )
    if (existsSync('/proc/self')) {
      // Regression: making a folder where none can be made never returned.
      expect(() => sqliteStore('/proc/none/events.db')).toThrow(
        expect.objectContaining({ code: 'log_unavailable' }),
      )
    }
    expect(() => sqliteStore(file)).toThrow(expect.objectContaining({ code: 'log_damaged' }))
    const open = sqliteStore(join(folder, 'in-use.db'))
    expect(() => sqliteStore(join(folder, 'in-use.db'))).toThrow(
      expect.objectContaining({ code: 'log_in_use' }),
    )
    await open.close()
  })

  it('has every append whole or not at all after a kill in the middle of them', async () => {
    const path = newFile()
    const source = new URL('./sqlite.ts', import.meta.url).href
    const child = spawn(process.execPath, ['--input-type=module', '--eval', KILLED, source, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let acknowledged = 0
    child.stdout.setEncoding('utf8')
    for await (const chunk of child.stdout) {
      acknowledged = Math.max(acknowledged, ...String(chunk).trim().split('\n').map(Number))
      if (acknowledged >= 20) break
    }
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')

    const store = sqliteStore(path)
    const loaded = await store.load('r')
    const records = await store.read('r', 0, { events: 1_000_000, bytes: 1_000_000_000 })
    const version = loaded?.head.version ?? 0
    expect(version).toBeGreaterThanOrEqual(acknowledged)
    expect(records).toHaveLength(version * 2)
    expect(lastPlace(records.at(-1) as never)).toBe(loaded?.head.place)
    expect(new Map(loaded?.state).get('version')).toBe(String(version))
    expect((await store.stats('r'))?.events).toBe(loaded?.head.place)
    const newest = records.at(-1)?.headers.at(-1)?.id as string
    expect((await store.find('r', newest))?.record.place).toBe(records.at(-1)?.place)
    await store.close()
  })
})
