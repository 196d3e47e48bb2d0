import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chainOver } from './chain.ts'

const events = (...ids: string[]) => ({
  headers: ids.map((id) => ({ id })),
  lastId: ids.at(-1) ?? '',
})

function chainOf(...ids: string[]): string {
  return chainOver('', events(...ids), ids.length)
}

describe('a chain', () => {
  it('is what it always was: stores keep it, and other processes go on from it', () => {
    expect(chainOf('a-1')).toBe('19uwmhw16w1lbt')
    expect(chainOf('kJ2x90aQpLm3-1', 'é𝄞-12')).toBe('0k9dgq61svw1qw')
    expect(chainOver('', { headers: [], lastId: 'a-1' }, 1)).toBe('1bstucp0m5s5j0')
  })

  it('is the same however its places were cut into records', () => {
    const ids = fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(ids, fc.nat(20), (all, cut) => {
        const first = Math.min(cut, all.length)
        const before = first === 0 ? '' : chainOf(...all.slice(0, first))
        const rest = all.slice(first)
        const whole = rest.length === 0 ? before : chainOver(before, events(...rest), rest.length)
        expect(whole).toBe(chainOf(...all))
        expect(whole).toMatch(/^[0-9a-z]{14}$/)
      }),
    )
  })

  it('tells places, their order, and where one id ends and the next begins', () => {
    const ids = ['a-1', 'a-2', 'b-1', 'a-11', 'a']
    const histories = new Set<string>()
    let count = 0
    for (const one of ids) {
      for (const two of ids) {
        for (const three of ids) {
          count += 3
          histories.add(chainOf(one, two, three))
          histories.add(chainOf(one, two + three))
          histories.add(chainOver(chainOf(one, two), { headers: [], lastId: three }, 1))
        }
      }
    }
    expect(histories.size).toBe(count)
  })

  it('has no two alike among many histories that differ little', () => {
    const chains = new Set<string>()
    const halves = [new Set<string>(), new Set<string>()] as const
    for (let i = 0; i < 100_000; i++) {
      const chain = chainOf(`p-${i}`, 'z-1')
      chains.add(chain)
      halves[0].add(chain.slice(0, 7))
      halves[1].add(chain.slice(7))
    }
    expect(chains.size).toBe(100_000)
    // Of so many 32-bit hashes about one pair is alike by chance.
    for (const half of halves) expect(half.size).toBeGreaterThan(99_980)
  })
})
