import { describe, expect, it } from 'vitest'
import { indexedDbLog } from '../log/indexeddb.ts'
import { runtimePlatform } from '../platform.ts'
import { own } from '../testing/log-records.ts'
import { idsOf, readContract } from '../testing/read-contract.ts'

const platform = runtimePlatform()
let names = 0
const fresh = () => indexedDbLog().create(`read-${Date.now()}-${++names}`, 'room', platform)

readContract('indexeddb', { describe, it }, fresh)

describe('a replay of merged records', () => {
  it('gives the same events as before they were merged', async () => {
    const log = fresh()
    await log.open()
    const ids = Array.from({ length: 300 }, (_, n) => `a-${n}`)
    for (const id of ids) await log.append(own([[id, { scope: 'device' }]]))
    const { merged } = (await log.merge?.(false)) ?? { merged: 0 }
    expect(merged).toBeGreaterThan(200)
    expect(await idsOf(log, {})).toEqual(ids)
    expect(await idsOf(log, { from: { last: 3 } })).toEqual(ids.slice(-3))
    await log.close()
  })
})
