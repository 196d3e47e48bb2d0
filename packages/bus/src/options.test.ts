import { afterEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { BusError } from './errors.ts'
import { indexedDbLog } from './indexed-db-log.ts'
import { memoryLink } from './links/memory.ts'
import { memoryLog } from './log/memory.ts'
import { type AnyBusOptions, type BusOptions, resolveOptions } from './options.ts'
import type { Platform } from './platform.ts'
import { relayLink } from './relay-link.ts'
import { VirtualPlatform } from './testing/virtual-platform.ts'

const defaults = { indexedDb: indexedDbLog, memory: memoryLog, tabs: memoryLink }

/** As a caller without types would give them. */
function resolve(options: unknown, platform: Platform = new VirtualPlatform()) {
  return resolveOptions(options as BusOptions, platform, defaults)
}

/** A platform that has, by name, what a browser has. */
function browser(): Platform {
  return Object.assign(new VirtualPlatform({ kind: 'page' }), {
    indexedDB: {} as IDBFactory,
    BroadcastChannel: class {} as unknown as typeof BroadcastChannel,
  })
}

const relay = relayLink({ url: 'wss://relay.example', room: '42' })

describe('left out', () => {
  test('everything but the name has a default', () => {
    expect(resolve({ name: 'shop' })).toMatchObject({
      name: 'shop',
      source: 'node',
      log: { kind: 'memory' },
      tabs: undefined,
      relay: undefined,
      links: [],
      events: undefined,
      limits: { queueEvents: 100_000, queueBytes: 64 * 1024 * 1024 },
    })
  })

  test('a browser gets IndexedDB, tabs, and its kind of context as source', () => {
    const { source, log, tabs } = resolve({ name: 'shop' }, browser())
    expect(source).toBe('page')
    expect(log?.kind).toBe('disk')
    expect(tabs).toBeDefined()
  })

  test('undefined is the same as nothing', () => {
    const { log, limits } = resolve({
      name: 'shop',
      source: undefined,
      log: undefined,
      limits: { queueEvents: undefined },
      onError: undefined,
    })
    expect(log?.kind).toBe('memory')
    expect(limits.queueEvents).toBe(100_000)
  })
})

describe('given', () => {
  test('they are taken as they are', () => {
    const [log, tabs, onError, onGap] = [memoryLog(), memoryLink(), () => {}, () => {}]
    const versioned = { schema: z.string(), version: 2, upcast: { 1: String } }
    const events = { a: z.string(), b: versioned, c: { version: 1 } }
    const limits = { queueEvents: 1, queueBytes: 2, logEvents: 3, logBytes: 4, logDays: 5 }
    const given: AnyBusOptions = {
      name: 'A-z_9',
      source: 'till 3',
      log,
      tabs,
      relay,
      links: [memoryLink()],
      events,
      unknown: 'ignore',
      limits,
      onError,
      onGap,
    }
    expect(resolve(given)).toEqual(given)
  })

  test('log and tabs can be turned off', () => {
    const { log, tabs } = resolve({ name: 'shop', log: false, tabs: false }, browser())
    expect([log, tabs]).toEqual([undefined, undefined])
  })

  test('a database where there is none becomes memory, unless it is required', () => {
    expect(resolve({ name: 'shop', log: indexedDbLog() }).log?.kind).toBe('memory')
    expect(() => resolve({ name: 'shop', log: indexedDbLog({ required: true }) })).toThrow(
      expect.objectContaining({ code: 'log_unavailable' }),
    )
  })
})

const versions = (one: object) => ({ name: 'shop', events: { a: one } })

describe('wrong', () => {
  test.each<[unknown, RegExp]>([
    [undefined, /give options, as in \{ name: 'shop' \}/],
    [null, /give options/],
    ['shop', /give options/],
    [{}, /name must be 1 to 64/],
    [{ name: '' }, /name must be/],
    [{ name: 'a b' }, /name must be/],
    [{ name: 'a:b' }, /name must be/],
    [{ name: 'x'.repeat(65) }, /name must be/],
    [{ name: 7 }, /name must be/],
    [{ name: 'shop', nmae: 1 }, /nmae is not an option; there are name, source/],
    [{ name: 'shop', source: '' }, /source must be/],
    [{ name: 'shop', source: 'a\nb' }, /source must be/],
    [{ name: 'shop', source: null }, /source must be/],
    [{ name: 'shop', events: null }, /events must be an object of schemas/],
    [{ name: 'shop', events: 'a' }, /events must be/],
    [{ name: 'shop', events: { a: {} } }, /events\['a'\] must be a Standard Schema or \{ schema/],
    [{ name: 'shop', events: { a: null } }, /events\['a'\]/],
    [{ name: 'shop', events: { 'a..b': z.string() } }, /events\['a\.\.b'\] is not an event type/],
    [{ name: 'shop', events: { '$event.refused': z.string() } }, /is not an event type/],
    [versions({ version: '2' }), /events\['a'\]\.version must be a whole number from 1/],
    [versions({ version: 0 }), /version must be/],
    [versions({ version: 1, schema: {} }), /events\['a'\]\.schema must be a Standard Schema/],
    [versions({ version: 1, upcasts: {} }), /events\['a'\] must be a Standard Schema or/],
    [versions({ upcast: { 1: Object } }), /events\['a'\] must be a Standard Schema or/],
    [versions({ version: 2 }), /upcast must have a function for each version before/],
    [
      versions({ version: 3, upcast: { 1: Object } }),
      /upcast must have a function for each version before/,
    ],
    [
      versions({ version: 2, upcast: { 1: 'a' } }),
      /upcast must have a function for each version before/,
    ],
    [versions({ version: 2, upcast: null }), /upcast must have a function for/],
    [
      versions({ version: 2, upcast: { 1: Object, 2: Object } }),
      /upcast must have a function for each/,
    ],
    [
      versions({ version: 2, upcast: { 1: Object, v1: Object } }),
      /upcast must have a function for each/,
    ],
    [{ name: 'shop', events: {}, unknown: 'drop' }, /unknown must be 'deliver', 'ignore' or/],
    [{ name: 'shop', unknown: 'error' }, /unknown must be .*, and beside events/],
    [{ name: 'shop', log: true }, /log must be indexedDbLog\(\)/],
    [{ name: 'shop', log: 'memory' }, /log must be/],
    [{ name: 'shop', log: {} }, /log must be/],
    [{ name: 'shop', log: memoryLog }, /log must be/],
    [{ name: 'shop', log: null }, /log must be/],
    [{ name: 'shop', tabs: {} }, /tabs must be true, false or a link/],
    [{ name: 'shop', tabs: null }, /tabs must be/],
    [{ name: 'shop', tabs: 'yes' }, /tabs must be/],
    [{ name: 'shop', tabs: memoryLink }, /tabs must be/],
    [{ name: 'shop', relay: null }, /relay must come from relayLink/],
    [{ name: 'shop', relay: 'wss://relay.example' }, /relay must come from relayLink/],
    [{ name: 'shop', relay, log: false }, /a relay needs a log.*memoryLog\(\)/],
    [{ name: 'shop', links: {} }, /links must be a list/],
    [{ name: 'shop', links: [{ send() {} }] }, /links must be a list.*send, receive and close/],
    [{ name: 'shop', limits: null }, /limits must be an object/],
    [{ name: 'shop', limits: 5 }, /limits must be an object/],
    [{ name: 'shop', limits: { queueEvent: 5 } }, /limits\.queueEvent is not a limit/],
    [
      { name: 'shop', limits: { queueEvents: 0 } },
      /limits.queueEvents must be a whole number from 1/,
    ],
    [{ name: 'shop', limits: { queueBytes: 1.5 } }, /limits.queueBytes must be/],
    [{ name: 'shop', limits: { queueEvents: '9' } }, /limits.queueEvents must be/],
    [{ name: 'shop', onError: 'log' }, /onError must be a function/],
    [{ name: 'shop', onGap: null }, /onGap must be a function/],
  ])('%o is refused, and the message says what to do', (options, message) => {
    expect(() => resolve(options)).toThrow(expect.objectContaining({ code: 'invalid_options' }))
    expect(() => resolve(options)).toThrow(message)
  })
})

describe('without onError', () => {
  afterEach(() => vi.restoreAllMocks())

  test('errors go to the console with their stage', () => {
    const written: unknown[][] = []
    vi.spyOn(console, 'error').mockImplementation((...args) => written.push(args))
    const cause = new Error('inner')
    resolve({ name: 'shop' }).onError(new BusError('log_failed', 'no', { cause }), { stage: 'log' })
    expect(written).toEqual([['[crosstown] [log] log_failed: no', cause]])
  })
})
