import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BusEvent } from '../event.ts'
import { fingerprint, VALUES } from '../testing/values.ts'
import { fromCloudEvent, toCloudEvent } from './cloud-event.ts'

const event: BusEvent = {
  id: 'kJ2x90aQpLm3-17',
  type: 'order.created',
  data: { total: 12 },
  source: 'page',
  time: 1_790_000_000_000,
  scope: 'room',
  version: 1,
  correlationId: 'kJ2x90aQpLm3-17',
}

const through = (given: BusEvent): BusEvent =>
  fromCloudEvent(JSON.parse(JSON.stringify(toCloudEvent(given))))

describe('an event as a CloudEvent', () => {
  it('has the attributes of the standard, and nothing that says no more', () => {
    expect(toCloudEvent({ ...event, stream: 'order-1', causationId: 'a-1' })).toEqual({
      specversion: '1.0',
      id: 'kJ2x90aQpLm3-17',
      source: 'page',
      type: 'order.created',
      time: '2026-09-21T14:13:20.000Z',
      subject: 'order-1',
      causationid: 'a-1',
      datacontenttype: 'application/json',
      data: { total: 12 },
    })
  })

  it('names its extensions as the standard allows', () => {
    const all = toCloudEvent({
      ...event,
      source: 'my page',
      scope: 'device',
      version: 3,
      revision: 4,
      correlationId: 'x',
      traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      offset: 2 ** 40,
      position: 'e.1.x',
      metadata: { userId: 'u', tenant: 't', big: 2 ** 40, flag: true },
    })
    for (const name of Object.keys(all)) expect(name).toMatch(/^[a-z0-9]{1,20}$/)
    expect(all).toMatchObject({
      tenant: 't',
      flag: true,
      metadata: '{"userId":"u","big":1099511627776}',
    })
  })

  it.each(VALUES.map(({ name, make }) => [name, make] as const))('carries %s', (_, make) => {
    const data = make()
    expect(fingerprint(through({ ...event, data }).data)).toBe(fingerprint(data))
  })

  it('comes back as it was, whatever it has', () => {
    const text = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
      .filter((s) => s.isWellFormed())
    const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined })
    const events = fc.record({
      id: text,
      type: fc.constantFrom('a', 'a.b_c', 'order.created'),
      data: fc.jsonValue(),
      source: text,
      time: fc.oneof(fc.integer({ min: 0, max: 4e12 }), fc.constantFrom(0.5, 1_790_000_000_000.25)),
      scope: fc.constantFrom<BusEvent['scope']>('room', 'device', 'context'),
      version: fc.integer({ min: 1, max: 9 }),
      correlationId: text,
      stream: maybe(text),
      causationId: maybe(text),
      offset: maybe(fc.nat()),
      position: maybe(text),
      revision: maybe(fc.integer({ min: 1, max: 1e9 })),
      metadata: maybe(
        fc.dictionary(
          fc.oneof(text, fc.constantFrom('data', 'specversion', 'metadata', 'tenant')),
          fc.oneof(
            fc.string(),
            fc.boolean(),
            fc.integer(),
            fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Object.is(n, -0)),
          ),
          { minKeys: 1, maxKeys: 4 },
        ),
      ),
    })
    fc.assert(
      fc.property(events, (given) => {
        const whole = Object.fromEntries(
          Object.entries(given).filter(([, value]) => value !== undefined),
        ) as unknown as BusEvent
        expect(through(whole)).toEqual(whole)
      }),
    )
  })
})

describe('a CloudEvent of somebody else', () => {
  const theirs = {
    specversion: '1.0',
    id: '1',
    source: 'https://a.example/x%2Fy',
    type: 'com.example.made',
  }

  it('comes back as it was, its extensions in the metadata', () => {
    const cloud = { ...theirs, dataschema: 'https://a.example/s', partitionkey: 'k', data: [1] }
    const given = fromCloudEvent(cloud)
    expect(given).toMatchObject({
      metadata: { dataschema: 'https://a.example/s', partitionkey: 'k' },
    })
    expect(toCloudEvent(given)).toMatchObject(cloud)
  })

  it('may have binary data', () => {
    expect(fromCloudEvent({ ...theirs, data_base64: 'AAEC/w==' }).data).toEqual(
      new Uint8Array([0, 1, 2, 255]),
    )
  })

  it.each([
    ['no version', { specversion: undefined }],
    ['another version', { specversion: '0.3' }],
    ['no id', { id: '' }],
    ['no source', { source: undefined }],
    ['a type that is none of ours', { type: 'com/example' }],
    ['a time that is none', { time: 'yesterday' }],
    ['a subject that is no text', { subject: 7 }],
    ['metadata that is no JSON', { metadata: '{' }],
    ['an extension that is an object', { partitionkey: {} }],
  ])('with %s is refused', (_, wrong) => {
    expect(() => fromCloudEvent({ ...theirs, ...wrong })).toThrow('not a CloudEvent of ours')
  })
})
