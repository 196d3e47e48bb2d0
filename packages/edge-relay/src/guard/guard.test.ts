import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ManualPlatform } from '../testing/manual-platform.ts'
import { addressOf } from './address.ts'
import { Bucket, costOf } from './bucket.ts'
import { Gate } from './gate.ts'
import { isNestedOver } from './nesting.ts'
import { Pace } from './pace.ts'
import { TooMuch } from './too-much.ts'

describe('a bucket', () => {
  it('gives what ten seconds bring at once, and then what comes', () => {
    const bucket = new Bucket(100, 0)
    for (let i = 0; i < 1_000; i++) expect(bucket.take(1, 0)).toBe(0)
    expect(bucket.take(1, 0)).toBe(10)
    expect(bucket.take(1, 9)).toBeGreaterThan(0)
    expect(bucket.take(1, 20)).toBe(0)
    expect(bucket.take(1, 20)).toBe(0)
    expect(bucket.take(1, 20)).toBeGreaterThan(0)
    expect(bucket.isFull(9_000)).toBe(false)
    expect(bucket.isFull(11_000)).toBe(true)
  })

  it('lets through what is larger than it, and has it paid for afterwards', () => {
    const bucket = new Bucket(10, 0)
    expect(bucket.take(500, 0)).toBe(0)
    expect(bucket.take(1, 0)).toBe(40_100)
    expect(bucket.take(1, 40_100)).toBe(0)
  })

  it('never gives more than its rate allows, however it is asked', () => {
    const asks = fc.array(fc.tuple(fc.nat(2_000), fc.integer({ min: 1, max: 50 })), {
      minLength: 1,
      maxLength: 60,
    })
    fc.assert(
      fc.property(asks, (list) => {
        const bucket = new Bucket(20, 0)
        let [now, given, largest] = [0, 0, 0]
        for (const [later, cost] of list) {
          now += later
          largest = Math.max(largest, cost)
          const waitMs = bucket.take(cost, now)
          if (waitMs === 0) given += cost
          else {
            // What it says about when there is something again is true.
            now += waitMs
            expect(bucket.take(cost, now)).toBe(0)
            given += cost
          }
          expect(given).toBeLessThanOrEqual(200 + (now * 20) / 1_000 + largest)
        }
      }),
    )
  })

  it.each([
    [1, 10, 1],
    [0, 0, 1],
    [1_000, 500, 1_000],
    [1, 262_144, 256],
  ])('counts %i events of %i bytes as %i', (events, bytes, cost) => {
    expect(costOf(events, bytes)).toBe(cost)
  })
})

describe('a pace', () => {
  it('takes nothing of what follows a refused frame, until its time has come', () => {
    const pace = new Pace(1, 0)
    for (let i = 0; i < 10; i++) expect(pace.take(1, 0)).toBe(0)
    const waitMs = pace.take(1, 0)
    expect(waitMs).toBe(1_000)
    expect(pace.take(1, waitMs - 1)).toBe(1)
    expect(pace.take(1, waitMs)).toBe(0)
  })

  it('ends with who goes on after being told to wait', () => {
    const pace = new Pace(1, 0)
    for (let i = 0; i < 10; i++) pace.take(1, 0)
    for (let i = 0; i < 1_000; i++) expect(pace.take(1, 0)).toBeGreaterThan(0)
    expect(() => pace.take(1, 0)).toThrow(/told to wait/)
  })
})

describe('a gate', () => {
  const setup = () => {
    const platform = new ManualPlatform()
    const limits = { connections: 3, addressConnections: 2, addressRequests: 1 }
    return { platform, gate: new Gate(limits, platform) }
  }

  it('has room for so many of an address, and for so many in all', () => {
    const { gate } = setup()
    const leave = gate.enter('a')
    gate.enter('a')
    expect(() => gate.enter('a')).toThrow(/from this address/)
    gate.enter('b')
    expect(() => gate.enter('c')).toThrow(/no room/)
    expect(() => gate.check(undefined)).toThrow(/no room/)
    leave()
    leave()
    expect(gate.connections).toBe(2)
    gate.enter('a')
    expect(() => gate.check('c')).toThrow(/no room/)
  })

  it('counts those whose address is not known in all only', () => {
    const { gate } = setup()
    for (let i = 0; i < 3; i++) gate.enter(undefined)
    expect(gate.connections).toBe(3)
    for (let i = 0; i < 100; i++) gate.request(undefined)
  })

  it('answers an address so often, says when to come again, and counts the others apart', () => {
    const { gate, platform } = setup()
    for (let i = 0; i < 10; i++) gate.request('a')
    let error: unknown
    try {
      gate.request('a')
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(TooMuch)
    expect(error).toMatchObject({ code: 'rate_limited', retryAfterMs: 1_000 })
    gate.request('b')
    platform.advance(1_000)
    gate.request('a')
  })

  it('remembers ten thousand addresses, whoever asks', () => {
    const { gate, platform } = setup()
    for (let i = 0; i < 30_000; i++) {
      if (i % 1_000 === 0) platform.advance(100)
      gate.request(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
      gate.enter(`10.0.0.${i & 255}`)()
    }
    expect(gate.addresses).toBeLessThanOrEqual(10_000)
  })
})

describe('the address that is counted', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['127.0.0.1', undefined],
    ['::ffff:127.0.0.1', undefined],
    ['::1', undefined],
    [undefined, undefined],
    ['nonsense', undefined],
    ['x'.repeat(1_000), undefined],
  ])('of %s is %s', (given, expected) => {
    expect(addressOf(given, undefined, 0)).toBe(expected)
  })

  it('is what the header says only where proxies are said to be there, and what they added', () => {
    const forged = '198.51.100.1, 203.0.113.7'
    expect(addressOf('192.0.2.1', forged, 0)).toBe('192.0.2.1')
    expect(addressOf('127.0.0.1', forged, 0)).toBe(undefined)
    expect(addressOf('127.0.0.1', forged, 1)).toBe('203.0.113.7')
    expect(addressOf('127.0.0.1', `${forged}, 10.0.0.1`, 2)).toBe('203.0.113.7')
    expect(addressOf('127.0.0.1', '203.0.113.7', 2)).toBe('203.0.113.7')
    expect(addressOf('127.0.0.1', '[2001:db8::1]:443', 1)).toBe('2001:db8:0:0::/64')
  })

  it('is counted even where the header says that it is this machine', () => {
    expect(addressOf('127.0.0.1', '127.0.0.1', 1)).toBe('127.0.0.1')
    expect(addressOf('192.0.2.1', 'unknown', 1)).toBe('192.0.2.1')
    expect(addressOf('127.0.0.1', undefined, 1)).toBe('127.0.0.1')
  })
})

describe('nesting', () => {
  const depthOf = (value: unknown): number =>
    typeof value === 'object' && value !== null
      ? 1 + Math.max(0, ...Object.values(value).map(depthOf))
      : 0

  it('is that of the value, whatever its texts hold', () => {
    const text = fc.string({ unit: fc.constantFrom('[', '{', '"', '\\', ']', 'a', '\u2028') })
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        text,
        fc.integer(),
        fc.array(tie('value')),
        fc.dictionary(text, tie('value')),
      ),
    }))
    fc.assert(
      fc.property(value, fc.nat(6), (value, most) => {
        expect(isNestedOver(JSON.stringify(value), most)).toBe(depthOf(value) > most)
      }),
      { numRuns: 2_000 },
    )
  })

  it.each([
    ['a million brackets', '['.repeat(1_000_000), true],
    ['a text that does not end', `"${'['.repeat(1_000)}`, false],
    ['a text of backslashes', `"${'\\'.repeat(100_001)}`, false],
    ['lists side by side', `[${'[],'.repeat(100_000)}[]]`, false],
  ])('of %s is found without a stack', (_, text, over) => {
    expect(isNestedOver(text, 500)).toBe(over)
  })
})
