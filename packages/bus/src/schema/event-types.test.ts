import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { BusEvent } from '../event.ts'
import { EventTypes } from './event-types.ts'
import type { EventSchemas, EventVersions, UnknownPolicy } from './schema.ts'

const item: EventVersions = {
  schema: z.object({ sku: z.string(), quantity: z.number().int() }),
  version: 3,
  upcast: {
    1: (data: { item: string }) => ({ sku: data.item }),
    2: (data: { sku: string }) => ({ ...data, quantity: 1 }),
  },
}

function typesOf(events: EventSchemas, unknown: UnknownPolicy = 'deliver'): EventTypes {
  return new EventTypes(events, unknown)
}

function event(data: unknown, version = 1, type = 'item'): BusEvent {
  const id = 'p-1'
  return { id, type, data, source: 's', time: 7, scope: 'room', version, correlationId: id }
}

/** A schema that takes its time. */
const slow: StandardSchemaV1 = {
  '~standard': { version: 1, vendor: 'test', validate: async (value) => ({ value }) },
}

describe('an event of an older version', () => {
  test.each([
    [1, { item: 'A1' }],
    [2, { sku: 'A1' }],
  ])('goes from version %i to the current one, step by step', (version, data) => {
    const old = { ...event(data, version), stream: 'cart-1', offset: 4096 }
    expect(typesOf({ item }).current(old)).toEqual({
      ...old,
      data: { sku: 'A1', quantity: 1 },
      version: 3,
    })
  })

  test('of the current version is the same object, not validated again', () => {
    const now = event({ sku: 'not even validated' }, 3)
    expect(typesOf({ item }).current(now)).toBe(now)
  })

  test('stays what it was: the upcaster has data of its own', () => {
    const old = event({ item: 'A1' })
    const types = typesOf({
      item: { version: 2, upcast: { 1: (data) => ({ sku: data.item }) } },
    })
    expect(types.current(old).data).toEqual({ sku: 'A1' })
    expect(old).toEqual(event({ item: 'A1' }))
  })

  test('is shown to each upcaster as it was written', () => {
    const seen: BusEvent[] = []
    const step = (data: number, old: BusEvent): number => {
      seen.push({ ...old })
      return data + 1
    }
    const types = typesOf({ item: { version: 3, upcast: { 1: step, 2: step } } })
    expect(types.current(event(1))).toMatchObject({ data: 3, version: 3 })
    expect(seen).toEqual([event(1), event(1)])
  })

  test('carries what the schema of the current version makes of it', () => {
    const schema = z.string().transform(Number)
    const types = typesOf({ item: { schema, version: 2, upcast: { 1: (n: number) => `${n}` } } })
    expect(types.current(event(7)).data).toBe(7)
  })

  test('fails with what is wrong after upcasting, and with the event', () => {
    expect(() => typesOf({ item }).current(event({ item: 7 }))).toThrow(
      expect.objectContaining({
        code: 'schema_failed',
        stage: 'schema',
        eventType: 'item',
        eventId: 'p-1',
        eventVersion: 1,
        path: 'data.sku',
      }),
    )
  })

  test('fails with the upcaster that threw', () => {
    const cause = new TypeError('inner')
    const upcast = {
      1: (data: unknown) => data,
      2: () => {
        throw cause
      },
    }
    expect(() => typesOf({ item: { version: 3, upcast } }).current(event(1))).toThrow(
      expect.objectContaining({
        code: 'schema_failed',
        message: 'the upcaster of item from version 2 threw',
        eventId: 'p-1',
        eventVersion: 1,
        cause,
      }),
    )
  })

  test.each<[string, EventVersions]>([
    ['upcaster', { version: 2, upcast: { 1: () => Promise.reject(new Error('late')) } }],
    ['schema', { schema: slow, version: 2, upcast: { 1: (data) => data } }],
  ])('fails where its %s gives a promise: reading waits for nobody', (what, versions) => {
    expect(() => typesOf({ item: versions }).current(event(1))).toThrow(
      expect.objectContaining({
        code: 'schema_failed',
        message: expect.stringMatching(`${what} .*synchronous`),
      }),
    )
  })
})

describe('publish', () => {
  test('writes the current version, and none where it is 1', () => {
    const types = typesOf({ item, first: z.string(), one: { version: 1 } })
    expect(types.version('item', undefined)).toBe(3)
    expect(types.version('item', 3)).toBe(3)
    expect(types.version('first', undefined)).toBeUndefined()
    expect(types.version('one', 1)).toBeUndefined()
    expect(types.version('other', 5)).toBe(5)
  })

  test('of another version than the current one is refused', () => {
    expect(() => typesOf({ item }).version('item', 2)).toThrow(
      expect.objectContaining({ code: 'invalid_options', eventType: 'item' }),
    )
  })

  test('validates by the schema of the current version', () => {
    const types = typesOf({ item, free: { version: 1 } })
    expect(types.validate('item', { sku: 'A1', quantity: 2 })).toEqual({ sku: 'A1', quantity: 2 })
    expect(() => types.validate('item', { item: 'A1' })).toThrow(/data.sku of item/)
    expect(types.validate('free', 1)).toBe(1)
  })

  test('waits for a schema that takes its time only where there are no versions', async () => {
    const upcast = { 1: (data: unknown) => data }
    const types = typesOf({ one: slow, two: { schema: slow, version: 2, upcast } })
    await expect(types.validate('one', 1)).resolves.toBe(1)
    expect(() => types.validate('two', 1)).toThrow(/must be synchronous/)
  })

  test.each(['deliver', 'ignore'] as const)('of an unknown type passes: %s', (unknown) => {
    const data = {}
    for (const type of ['other', 'toString', '__proto__'])
      expect(typesOf({ item }, unknown).validate(type, data)).toBe(data)
  })

  test('of an unknown type is refused where that is an error', () => {
    expect(() => typesOf({ item }, 'error').validate('other', 1)).toThrow(
      expect.objectContaining({ code: 'invalid_type', stage: 'schema', eventType: 'other' }),
    )
  })
})

describe('what is unknown', () => {
  const header = (type: string, version?: number) => {
    const { data: _, scope: __, ...rest } = event(1, 1, type)
    return { ...rest, ...(version && { version }) }
  }
  const KNOWN = [header('item'), header('item', 3), header('$event.refused'), header('$a', 7)]

  test.each(['deliver', 'ignore', 'error'] as const)('is not what is known: %s', (unknown) => {
    const types = typesOf({ item }, unknown)
    for (const known of KNOWN) {
      expect(types.admits(known)).toBe(true)
      expect(types.hears(known.type)).toBe(true)
    }
  })

  test('is delivered as it is', () => {
    const types = typesOf({ item })
    expect(types.admits(header('other'))).toBe(true)
    expect(types.admits(header('item', 4))).toBe(true)
    expect(types.hears('other')).toBe(true)
    const newer = event('of tomorrow', 4)
    expect(types.current(newer)).toBe(newer)
    const other = event(1, 1, 'other')
    expect(types.current(other)).toBe(other)
  })

  test('is ignored', () => {
    const types = typesOf({ item }, 'ignore')
    expect(types.admits(header('other'))).toBe(false)
    expect(types.admits(header('item', 4))).toBe(false)
    expect(types.hears('other')).toBe(false)
  })

  test('is an error', () => {
    const types = typesOf({ item }, 'error')
    expect(types.hears('other')).toBe(true)
    expect(() => types.admits(header('other'))).toThrow(
      expect.objectContaining({ code: 'invalid_type', eventType: 'other', eventId: 'p-1' }),
    )
    expect(() => types.admits(header('item', 4))).toThrow(
      expect.objectContaining({ code: 'needs_upgrade', eventId: 'p-1', eventVersion: 4 }),
    )
  })
})
