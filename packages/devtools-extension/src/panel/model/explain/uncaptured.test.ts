/** What nobody captured is said to be not known: never that it did not happen. */
import { simulatedRelay } from '@crosstown/edge-relay/testing'
import { describe, expect, it } from 'vitest'
import { createFiltered } from '../query/filtered.ts'
import { explainEvent, ledgerOf, sequenceOf } from './index.ts'
import { header, type Told, told } from './testing/sessions.ts'
import { type AnyBus, Town } from './testing/town.ts'

const entryAt = (town: Town, id: string, bus: AnyBus) =>
  ledgerOf(town.session, id).find(({ peer }) => peer === town.peerOf(bus))

/** A laptop that is inspected all the time, and a service that the panel comes back to. */
async function reopened() {
  const town = new Town({ relay: simulatedRelay(), later: ['service'] })
  const laptop = town.bus('laptop', { source: 'laptop', room: '42' })
  const service = town.bus('service', { source: 'service', room: '42' })
  laptop.subscribe('order.confirmed', () => {})
  service.subscribe('order.*', () => {})
  await town.settle()
  const published = await town.publish(laptop, 'order.placed', 1, { until: 'relayed' })
  const confirmed = await town.publish(service, 'order.confirmed', 1, { until: 'relayed' })
  town.inspect('service')
  await town.settle()
  return { town, laptop, service, published, confirmed }
}

describe('after the panel comes back to a service', () => {
  it('an event of before that was relayed and handled there stood as pending and 0/1', async () => {
    const { town, service, published } = await reopened()
    expect(town.session.event(published)).toMatchObject({
      state: 'relayed',
      delivered: 0,
      expected: 0,
      unknown: 1,
    })
    const entry = entryAt(town, published, service)
    expect(entry).toMatchObject({ outcome: 'unknown', expected: false })
    expect(entry?.why).toMatch(
      /^This panel captures tab 2 only since [\d:.]+, .* after the event was published: whether it came there is not known\.$/,
    )
    const { headline, findings } = explainEvent(town.session, published)
    expect(headline).toBe(
      `Whether order.placed came to ${town.nameOf(service)} is not known: nobody captured what happened there then.`,
    )
    expect(findings.filter(({ severity }) => severity === 'problem')).toEqual([])
  })

  it('an event of it from before is relayed, as the room sent it, and its way has no time', async () => {
    const { town, laptop, service, confirmed } = await reopened()
    expect(town.session.event(confirmed)).toMatchObject({
      state: 'relayed',
      delivered: 1,
      expected: 1,
      unknown: 1,
    })
    expect(town.session.event(confirmed)?.latency).toBeUndefined()
    const entry = entryAt(town, confirmed, laptop)
    expect(entry).toMatchObject({ outcome: 'handled', expected: true })
    expect(entry?.after).toBeUndefined()
    expect(entry?.why).toMatch(/ ran in tab 1, at [\d:.]+ over the relay, for [\d.]+ ms\.$/)
    expect(entryAt(town, confirmed, service)).toMatchObject({ outcome: 'unknown' })
    const { headline } = explainEvent(town.session, confirmed)
    expect(headline).toBe(
      `order.confirmed came to ${town.nameOf(laptop)}. Whether order.confirmed came to ${town.nameOf(service)} is not known: nobody captured what happened there then.`,
    )
    const { messages } = sequenceOf(town.session, [confirmed])
    expect(messages).toMatchObject([{ untimed: true, via: 'relay', plusMinus: 0 }])
  })

  it('is found by who published it, and by what is not known of it', async () => {
    const { town, published, confirmed } = await reopened()
    const filtered = createFiltered(town.session, '', town.hub)
    const found = (query: string): string[] => {
      filtered.setQuery(query)
      town.hub.drain()
      const rows = Array.from({ length: filtered.length }, (_, index) => filtered.at(index))
      return rows.flatMap((row) => (row?.kind === 'event' ? row.id : []))
    }
    expect(found('from:service')).toEqual([confirmed])
    expect(found('is:unknown')).toEqual([published, confirmed])
    expect(found('is:unheard')).toEqual([])
    expect(found('is:missing')).toEqual([])
    filtered.close()
  })

  it('what it publishes and gets from then on is known', async () => {
    const { town, laptop, service } = await reopened()
    const id = await town.publish(laptop, 'order.placed', 2, { until: 'relayed' })
    expect(town.session.event(id)).toMatchObject({ delivered: 1, expected: 1, unknown: 0 })
    expect(entryAt(town, id, service)).toMatchObject({ outcome: 'handled' })
  })
})

const ids = [['pub', 1, 1]] as const
const event = header('pub-1')
const heard: Told = {
  peer: 'tab',
  records: [
    { at: 50, is: 'received', via: 'tabs', origin: 'device', ids, events: [event] },
    { at: 50.1, is: 'matched', ids, subs: [] },
  ],
}

describe('an event that only another tab tells of', () => {
  it('is not pending where its publisher was not captured then', () => {
    const session = told([heard, { peer: 'pub', since: 100, records: [] }])
    expect(session.event('pub-1')).toMatchObject({ state: 'unknown', publisher: 'pub' })
    expect(explainEvent(session, 'pub-1').findings.map(({ text }) => text)).not.toContainEqual(
      expect.stringContaining('outbox'),
    )
  })

  it('is pending where its publisher is captured, and says so', () => {
    const session = told([
      heard,
      { peer: 'pub', records: [{ at: 49, is: 'published', events: [event] }] },
    ])
    expect(session.event('pub-1')).toMatchObject({ state: 'pending' })
  })

  it('is in the log where somebody read it there, and in the room where it came from there', () => {
    const record = { at: 50, is: 'received', ids, events: [event] } as const
    const read = told([{ peer: 'tab', records: [{ ...record, via: 'log', origin: 'device' }] }])
    expect(read.event('pub-1')).toMatchObject({ state: 'logged' })
    const room = told([{ peer: 'tab', records: [{ ...record, via: 'tabs', origin: 'room' }] }])
    expect(room.event('pub-1')).toMatchObject({ state: 'relayed' })
    const taken = { peer: 'relay:r:1', kind: 'relay' } as const
    const relay = told([{ ...taken, records: [{ ...record, via: 'relay', origin: 'room' }] }])
    expect(relay.event('pub-1')).toMatchObject({ state: 'unknown' })
  })
})
