import { beforeEach, describe, expect, test } from 'vitest'
import { MAX_EVENT_BYTES, utf8Length } from '../event.ts'
import { EntryMaker } from '../testing/entries.ts'
import type { EventOptions } from '../types.ts'

let maker: EntryMaker

beforeEach(() => {
  maker = new EntryMaker()
})

describe('ids', () => {
  test('persisted events count 1, 2, 3 under one prefix, all others under another', () => {
    const { prefix } = maker.composer
    const ids = [
      maker.entry('a'),
      maker.entry('a', 1, { persist: false }),
      maker.entry('a', 1, { scope: 'context' }),
      maker.entry('a', 1, { scope: 'device' }),
      maker.entry('a'),
    ].map((entry) => entry.event.id)
    expect([ids[0], ids[3], ids[4]]).toEqual([`${prefix}-1`, `${prefix}-2`, `${prefix}-3`])
    const other = ids[1]?.replace(/-1$/, '')
    expect(other).not.toBe(prefix)
    expect(ids[2]).toBe(`${other}-2`)
  })

  test('without a log nothing is persisted, and the first prefix is never used', () => {
    const without = new EntryMaker({ hasLog: false })
    const entry = without.entry('a')
    expect(entry.persisted).toBe(false)
    expect(entry.event.id.startsWith(without.composer.prefix)).toBe(false)
  })

  test.each([
    ['data that cannot be encoded', { f: () => {} }, {}],
    ['a wrong header', 1, { stream: '' }],
    ['too much data', 'x'.repeat(MAX_EVENT_BYTES), {}],
  ])('%s leaves no hole in the numbers', (_, data, options) => {
    maker.entry('a')
    expect(() => maker.entry('a', data, options)).toThrow()
    expect(maker.entry('a').event.id).toBe(`${maker.composer.prefix}-2`)
  })

  test('rewinding gives numbers back', () => {
    maker.entry('a')
    const { mark } = maker.composer
    maker.entry('a')
    maker.entry('a')
    maker.composer.rewind(mark, maker.composer.mark)
    expect(maker.entry('a').event.id).toBe(`${maker.composer.prefix}-2`)
  })

  test('rewinding gave numbers back that another event had got after them', () => {
    const { mark } = maker.composer
    maker.entry('a')
    const last = maker.composer.mark
    maker.entry('a')
    maker.composer.rewind(mark, last)
    expect(maker.entry('a').event.id).toBe(`${maker.composer.prefix}-3`)
  })
})

describe('headers', () => {
  test('leave out what has its default', () => {
    const { event, headerText } = maker.entry('a', 1, { version: 1 })
    const header = JSON.parse(headerText)
    expect(header).toStrictEqual({ id: event.id, type: 'a', source: 'test', time: event.time })
    expect(event).toStrictEqual({
      id: event.id,
      type: 'a',
      data: 1,
      source: 'test',
      time: maker.platform.now(),
      scope: 'room',
      version: 1,
      correlationId: event.id,
    })
  })

  test('carry what was given', () => {
    const options: EventOptions = {
      scope: 'device',
      stream: 'order-1',
      version: 2,
      correlationId: 'c-1',
      causationId: 'c-2',
      traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      metadata: { userId: 'u' },
    }
    const { event, headerText } = maker.entry('a', new Map(), options)
    expect(event).toMatchObject(options)
    const { id, type, source, time } = event
    const header = { id, type, source, time, ...options, encoding: 'devalue' }
    expect(JSON.parse(headerText)).toEqual(header)
  })

  test('do not change when the metadata given is changed afterwards', () => {
    const metadata = { userId: 'before' }
    const { event, headerText } = maker.entry('a', 1, { persist: false, metadata })
    metadata.userId = 'after'
    expect(JSON.parse(headerText).metadata).toEqual({ userId: 'before' })
    expect(event.metadata).toEqual({ userId: 'before' })
  })
})

describe('refused', () => {
  test.each([
    [{ scope: 'planet' }, /scope must be 'context', 'device' or 'room'/],
    [{ persist: 'no' }, /persist must be true or false/],
    [{ scope: 'context', persist: true }, /cannot be persisted/],
    [{ stream: '' }, /stream must be 1 to 256/],
    [{ stream: 'a\nb' }, /stream/],
    [{ stream: null }, /stream/],
    [{ correlationId: '\ud800' }, /correlationId/],
    [{ causationId: 'x'.repeat(257) }, /causationId/],
    [{ traceparent: '00-1' }, /traceparent/],
    [{ version: 0 }, /version must be a whole number/],
    [{ metadata: { deep: {} } }, /metadata.deep/],
    [{ metadata: new Date(0) }, /metadata/],
    [{ metadata: ['a'] }, /metadata/],
  ])('options %o', (options, message) => {
    const wrong = options as EventOptions
    expect(() => maker.entry('cart.added', 1, wrong)).toThrow(
      expect.objectContaining({ code: 'invalid_options', eventType: 'cart.added' }),
    )
    expect(() => maker.entry('cart.added', 1, wrong)).toThrow(message)
  })

  test.each(['', 'a..b', '$mine', 7])('type %j', (type) => {
    expect(() => maker.composer.plan(type, {})).toThrow(
      expect.objectContaining({ code: 'invalid_type' }),
    )
  })

  test('types stay checked when more of them were seen than are remembered', () => {
    for (let i = 0; i <= 1_000; i++) maker.composer.plan(`t.${i}`, {})
    expect(() => maker.composer.plan('a..b', {})).toThrow()
  })

  test('an event that is too large by its UTF-8 bytes, though not by its characters', () => {
    const text = '€'.repeat(100 * 1024)
    expect(text.length).toBeLessThan(MAX_EVENT_BYTES)
    expect(() => maker.entry('a', text)).toThrow(
      expect.objectContaining({ code: 'too_large', path: 'data', eventType: 'a' }),
    )
  })

  test('a header that is too large', () => {
    const metadata = { note: 'x'.repeat(8 * 1024) }
    expect(() => maker.entry('a', 1, { metadata })).toThrow(
      expect.objectContaining({ code: 'too_large', path: 'header' }),
    )
  })
})

test('the largest event allowed is allowed, to the byte', () => {
  const { bytes } = maker.entry('a', '')
  const largest = maker.entry('a', 'x'.repeat(MAX_EVENT_BYTES - bytes))
  expect(largest.bytes).toBe(MAX_EVENT_BYTES)
  expect(largest.bytes).toBe(utf8Length(largest.headerText) + utf8Length(largest.dataText))
  expect(() => maker.entry('a', 'x'.repeat(MAX_EVENT_BYTES - bytes + 1))).toThrow()
})
