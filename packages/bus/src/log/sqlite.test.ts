import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { runtimePlatform } from '../platform.ts'
import { logContract } from '../testing/log-contract.ts'
import { own } from '../testing/log-records.ts'
import type { Log } from './log.ts'
import { sqliteLog } from './sqlite.ts'

const platform = runtimePlatform()
const folder = mkdtempSync(join(tmpdir(), 'crosstown-'))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
const paths = new Map<Log, string>()
const open = (path: string): Log => {
  const log = sqliteLog(path).create('shop', '42', platform)
  paths.set(log, path)
  return log
}

logContract(
  'sqlite',
  { describe, it },
  {
    create: () => open(join(folder, `${++files}.db`)),
    reopen: (log) => open(paths.get(log) as string),
    share: (log) => open(paths.get(log) as string),
  },
)
logContract('sqlite in memory', { describe, it }, { create: () => open(':memory:') })

describe('sqlite log', () => {
  it('holds the logs of several buses in one file', async () => {
    const path = join(folder, 'shared.db')
    const [a, b] = [
      sqliteLog(path).create('a', '', platform),
      sqliteLog(path).create('b', '', platform),
    ]
    const [stateA, stateB] = [await a.open(), await b.open()]
    expect(stateA.logId).not.toBe(stateB.logId)
    await a.close()
    expect((await b.state()).logId).toBe(stateB.logId)
    await b.close()
  })

  it('leaves no row of what retention removed, nor of a log that was cleared', async () => {
    const path = join(folder, 'rows.db')
    const rows = () => {
      const database = new DatabaseSync(path)
      const tables = ['batches', 'ids', 'streams', 'room', 'meta']
      const counts = tables.map(
        (table) => database.prepare(`SELECT count(*) AS n FROM crosstown_${table}`).get()?.['n'],
      )
      database.close()
      return counts
    }
    const log = open(path)
    await log.open()
    for (let n = 1; n <= 3; n++) {
      await log.append(
        own([
          [`a-${n}`, { stream: 's' }],
          [`b-${n}`, { stream: 't' }],
        ]),
      )
    }
    await log.trim({ events: 2, bytes: Infinity, before: 0 }, false)
    await log.close()
    expect(rows().slice(0, 4)).toEqual([1, 2, 2, 0])
    const again = open(path)
    await again.open()
    await again.clear()
    expect(rows()).toEqual([0, 0, 0, 0, 0])
  })

  it('tells a second process that the file is in use', async () => {
    const path = join(folder, 'busy.db')
    const log = open(path)
    await log.open()
    const script = `
      import { sqliteLog } from ${JSON.stringify(new URL('./sqlite.ts', import.meta.url).href)}
      import { runtimePlatform } from ${JSON.stringify(new URL('../platform.ts', import.meta.url).href)}
      const log = sqliteLog(process.argv[1]).create('shop', '42', runtimePlatform())
      await log.open().then(() => console.log('opened'), (error) => console.log(error.code))`
    const args = ['--input-type=module', '-e', script, path]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    expect(stdout.trim()).toBe('log_in_use')
    await log.close()
  })

  it('says so when the file cannot be made', async () => {
    const log = open(join(folder, 'no', 'such', 'folder', 'x.db'))
    await expect(log.open()).rejects.toMatchObject({ code: 'log_unavailable' })
  })
})
