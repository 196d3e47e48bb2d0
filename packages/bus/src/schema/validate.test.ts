import type { StandardSchemaV1 } from '@standard-schema/spec'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { validate as run } from './validate.ts'

type Schemas = { readonly [type: string]: StandardSchemaV1 }

const validate = (schemas: Schemas, eventType: string, data: unknown): unknown =>
  run(schemas[eventType] as StandardSchemaV1, data, { eventType })

const zod = {
  'cart.added': z.object({ sku: z.string(), lines: z.array(z.object({ n: z.coerce.number() })) }),
  slow: z.object({ n: z.number() }).refine(async ({ n }) => n > 0, 'too small'),
} satisfies Schemas

const valibot = {
  'cart.added': v.object({
    sku: v.string(),
    lines: v.array(v.object({ n: v.pipe(v.unknown(), v.transform(Number), v.number()) })),
  }),
  slow: v.pipeAsync(
    v.object({ n: v.number() }),
    v.checkAsync(async ({ n }) => n > 0, 'too small'),
  ),
} satisfies Schemas

/** A schema by hand, as the specification allows it. */
function schema(check: (value: unknown) => unknown): StandardSchemaV1 {
  return {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: check as StandardSchemaV1['~standard']['validate'],
    },
  }
}

describe.each([
  ['zod', zod],
  ['valibot', valibot],
] as const)('%s', (_, schemas: Schemas) => {
  test('what the schema made of the data comes out', () => {
    const data = { sku: 'A1', lines: [{ n: '7' }] }
    expect(validate(schemas, 'cart.added', data)).toEqual({ sku: 'A1', lines: [{ n: 7 }] })
    expect(data.lines[0]?.n).toBe('7')
  })

  test('what does not match is named by its path', () => {
    expect(() =>
      validate(schemas, 'cart.added', { sku: 'A1', lines: [{ n: 1 }, { n: 'x' }] }),
    ).toThrow(
      expect.objectContaining({
        code: 'schema_failed',
        stage: 'schema',
        eventType: 'cart.added',
        path: 'data.lines[1].n',
        retryable: false,
      }),
    )
  })

  test('more faults than one are counted, and all are to be had', () => {
    expect(() => validate(schemas, 'cart.added', { sku: 1, lines: 2 })).toThrow(/\(and 1 more\)$/)
    try {
      validate(schemas, 'cart.added', { sku: 1, lines: 2 })
    } catch (error) {
      expect((error as Error).cause).toHaveLength(2)
    }
  })

  test('an asynchronous schema answers later, and in the same way', async () => {
    const accepted = validate(schemas, 'slow', { n: 1 })
    expect(accepted).toBeInstanceOf(Promise)
    await expect(accepted).resolves.toEqual({ n: 1 })
    await expect(validate(schemas, 'slow', { n: -1 })).rejects.toMatchObject({
      code: 'schema_failed',
      path: 'data',
      message: 'data of slow: too small',
    })
  })
})

test('a path of objects with keys, symbols and numbers is written out', () => {
  const path = [{ key: 'a' }, 0, 'b', { key: 1 }]
  const schemas = { a: schema(() => ({ issues: [{ message: 'no', path }] })) }
  expect(() => validate(schemas, 'a', 1)).toThrow('data.a[0].b[1] of a: no')
})

test.each<[string, StandardSchemaV1]>([
  [
    'throws',
    schema(() => {
      throw new Error('inner')
    }),
  ],
  ['rejects', schema(() => Promise.reject(new Error('inner')))],
])('a schema that %s instead of answering fails as a schema', async (_, broken) => {
  const run = async () => validate({ a: broken }, 'a', 1)
  await expect(run()).rejects.toMatchObject({
    code: 'schema_failed',
    eventType: 'a',
    cause: new Error('inner'),
  })
})
