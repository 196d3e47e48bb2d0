/** What each setting of an engine may lose, and docs/durability.md, which says so. */
import { readFile } from 'node:fs/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { lossRun } from './loss-run.ts'
import { type End, SETTINGS } from './losses.ts'
import { ENDS, promisedOf, rowsOf } from './losses-doc.ts'
import { STRACE } from './power-cut.ts'
import { endAll } from './relay-process.ts'

const DOC = new URL('../../../../docs/durability.md', import.meta.url)
const LOAD = { events: 60, ms: 0 }
/** What takes something under load may have had it all synced right then. */
const TRIES = 4
const PATIENCE_MS = 180_000

afterEach(endAll)

describe.each(SETTINGS)('$engine $setting', (setting) => {
  const isHere = !('start' in setting) || setting.start !== undefined
  const loses = (end: End): boolean => setting.loses[end] === 'some'

  it.skipIf(!isHere || setting.loses.process === 'rarely')(
    `loses ${setting.loses.process} of what was confirmed when its process is killed`,
    async () => {
      for (let tries = 1; ; tries++) {
        const { lost } = await lossRun(setting, 'process', LOAD)
        if (loses('process') && lost === 0 && tries < TRIES) continue
        expect(lost > 0).toBe(loses('process'))
        return
      }
    },
    PATIENCE_MS,
  )

  it.skipIf(!isHere || !STRACE)(
    `loses ${setting.loses.machine} of it when the power of its machine is cut, and the relay had said which`,
    async () => {
      for (let tries = 1; ; tries++) {
        const { lost, says } = await lossRun(setting, 'machine', LOAD)
        expect(says).toBe(loses('machine') ? 'memory' : 'disk')
        if (loses('machine') && lost === 0 && tries < TRIES) continue
        expect(lost > 0).toBe(loses('machine'))
        return
      }
    },
    PATIENCE_MS,
  )
})

describe('docs/durability.md', () => {
  it('promises of each setting what it is held to here', async () => {
    const rows = rowsOf(await readFile(DOC, 'utf8'))
    expect(rows.map(({ promised }) => promised)).toEqual(SETTINGS.map(promisedOf))
  })

  it('has measurements that agree with what is promised', async () => {
    for (const [i, { measured }] of rowsOf(await readFile(DOC, 'utf8')).entries()) {
      for (const [at, end] of ENDS.entries()) {
        const [, lost, confirmed] = /^(\d+) of (\d+)/.exec(measured[at] as string) ?? []
        const { engine, setting, loses } = SETTINGS[i] as (typeof SETTINGS)[number]
        expect(Number(confirmed), `${engine} ${setting}`).toBeGreaterThan(100)
        if (loses[end] === 'nothing') expect(lost, `${engine} ${setting}`).toBe('0')
        if (loses[end] === 'some') expect(Number(lost), `${engine} ${setting}`).toBeGreaterThan(0)
      }
    }
  })
})
