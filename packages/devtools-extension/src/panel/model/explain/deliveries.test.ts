/** Each kind of delivery that fails, by real buses and their taps, and the sentence a person reads. */
import { simulatedRelay } from '@crosstown/edge-relay/testing'
import { describe, expect, it } from 'vitest'
import { explainEvent, explainSubscription, explainType, ledgerOf } from './index.ts'
import { type AnyBus, Town } from './testing/town.ts'

const entryAt = (town: Town, id: string, bus: AnyBus) =>
  ledgerOf(town.session, id).find(({ peer }) => peer === town.peerOf(bus))

/** Two tabs of one device. */
async function tabs() {
  const town = new Town()
  const cart = town.bus('laptop', { source: 'cart' })
  const orders = town.bus('laptop', { source: 'orders' })
  await town.settle()
  return { town, cart, orders }
}

/** Two devices in a room. */
async function devices() {
  const town = new Town({ relay: simulatedRelay() })
  const phone = town.bus('phone', { source: 'phone', room: '42' })
  const laptop = town.bus('laptop', { source: 'laptop', room: '42' })
  await town.settle()
  return { town, phone, laptop }
}

describe('an event that', () => {
  it('came is said to have come, by which handler, when and over what', async () => {
    const { town, cart, orders } = await tabs()
    orders.subscribe('order.*', () => {})
    await town.pass()
    const id = await town.publish(cart, 'order.placed', 1)
    const entry = entryAt(town, id, orders)
    expect(entry).toMatchObject({ outcome: 'handled', expected: true, via: 'tabs' })
    expect(entry?.why).toMatch(
      /^The handler of order\.\* \(explain\/deliveries\.test\.ts:\d+:\d+\) ran in tab \d, [\d.]+ ms after it was published over the channel between tabs, for [\d.]+ ms\.$/,
    )
    expect(explainEvent(town.session, id).headline).toBe(
      `order.placed came to ${town.nameOf(orders)}.`,
    )
  })

  it('nobody subscribes to says so', async () => {
    const { town, cart } = await tabs()
    const id = await town.publish(cart, 'order.placed', 1)
    expect(explainEvent(town.session, id)).toMatchObject({
      headline: 'Nobody known here listens to order.placed.',
      findings: expect.arrayContaining([
        {
          severity: 'problem',
          text: 'No context known here subscribes to order.placed or anything like it.',
          links: [],
        },
      ]),
    })
    const { headline } = explainType(town.session, 'order.placed')
    expect(headline).toMatch(
      /^order\.placed was published once, last at [\d:.]+, and nobody subscribes to it\.$/,
    )
  })

  it('has a typo in its type names the pattern that was meant', async () => {
    const { town, cart, orders } = await tabs()
    orders.subscribe('order.placed', () => {})
    await town.pass()
    const id = await town.publish(cart, 'order.plcaed', 1)
    expect(entryAt(town, id, orders)).toMatchObject({ outcome: 'not_subscribed', expected: false })
    expect(entryAt(town, id, orders)?.why).toMatch(
      /^It came to tab \d, .*; nothing there subscribes to order\.plcaed\. It subscribes to order\.placed \(.*\), which differs by one letter: is it a typo\?$/,
    )
    const explained = explainType(town.session, 'order.plcaed')
    expect(explained.findings[0]).toMatchObject({
      severity: 'problem',
      text: `${town.nameOf(orders)} subscribes to order.placed (differs by one letter): is it meant to hear order.plcaed?`,
      links: [{ to: 'type', id: 'order.placed', label: 'order.placed' }, { to: 'peer' }],
    })
    // The other way round: who waits for what nobody publishes.
    const waiting = explainType(town.session, 'order.placed')
    expect(waiting.headline).toBe('order.placed was not published while this panel listened.')
    expect(waiting.findings[0]).toMatchObject({
      text: 'Something like it was published: order.plcaed (differs by one letter). Is one of them, or this one, a typo?',
      links: [{ to: 'type', id: 'order.plcaed' }],
    })
  })

  it('waits on a device without the relay says since when, and that it is sent later', async () => {
    const { town, phone, laptop } = await devices()
    laptop.subscribe('order.*', () => {})
    await town.pass()
    town.network.partition(town.network.device('phone'))
    await town.network.until(() => phone.status.get().relay === 'offline')
    const id = await town.publish(phone, 'order.placed', 1)
    expect(entryAt(town, id, laptop)).toMatchObject({ outcome: 'waiting', expected: true })
    expect(entryAt(town, id, laptop)?.why).toMatch(
      /^tab \d is offline since \d\d:\d\d:\d\d\.\d{3}.*: the event waits in the outbox of its device, and is sent by itself when the relay is back\.$/,
    )
    await town.settle()
    expect(entryAt(town, id, laptop)?.outcome).toMatch(/^(handled|late)$/)
  })

  it('cannot come to a device that is offline says so', async () => {
    const { town, phone, laptop } = await devices()
    laptop.subscribe('order.*', () => {})
    await town.pass()
    town.network.partition(town.network.device('laptop'))
    await town.network.until(() => laptop.status.get().relay === 'offline')
    const id = await town.publish(phone, 'order.placed', 1, { until: 'relayed' })
    expect(entryAt(town, id, laptop)).toMatchObject({ outcome: 'offline', expected: true })
    expect(entryAt(town, id, laptop)?.why).toMatch(
      /^tab \d is without the relay since [\d:.]+ \(offline.*\): the room keeps the event, and sends it when tab \d is back\.$/,
    )
    await town.pass(5_000)
    await town.settle()
    const late = entryAt(town, id, laptop)
    expect(late).toMatchObject({ outcome: 'late', via: 'relay' })
    expect(late?.why).toMatch(/That is late: it was without the relay from [\d:.]+ to [\d:.]+\.$/)
  })

  it('a handler threw at says which one, and what it threw', async () => {
    const { town, cart, orders } = await tabs()
    orders.subscribe('order.*', () => {
      throw new Error('no such order')
    })
    orders.subscribe('order.placed', () => {})
    await town.pass()
    const id = await town.publish(cart, 'order.placed', 1)
    expect(entryAt(town, id, orders)).toMatchObject({ outcome: 'failed', expected: true })
    expect(entryAt(town, id, orders)?.why).toMatch(
      /^The handler of order\.\* \(.*\) in tab \d threw after [\d.]+ ms: “no such order”\. 1 other handler ran\. The event came, and is not given to it again by itself: mend the handler, then replay the event from the log\.$/,
    )
    expect(explainEvent(town.session, id).headline).toBe(
      `order.placed came to ${town.nameOf(orders)}, whose handler threw.`,
    )
  })

  it('a full buffer dropped says which loop is too slow', async () => {
    const { town, cart, orders } = await tabs()
    const loop = orders.events('order.*', { buffer: 1, overflow: 'drop-oldest' })
    await town.pass()
    const id = await town.publish(cart, 'order.placed', 1)
    await town.publish(cart, 'order.placed', 2)
    expect(entryAt(town, id, orders)).toMatchObject({ outcome: 'dropped', expected: true })
    expect(entryAt(town, id, orders)?.why).toMatch(
      /^The loop over order\.\*.* in tab \d dropped it: its buffer was full, events came faster than they were taken out\. Give bus\.events\(\) a larger buffer, or do less in the loop\.$/,
    )
    await town.network.until(Promise.resolve(loop.return?.()))
  })

  it('a full buffer of a handler dropped says which handler is too slow', async () => {
    const { town, cart, orders } = await tabs()
    const never = (): Promise<void> => new Promise(() => {})
    orders.subscribe('order.*', never, { buffer: 0, overflow: 'drop-newest' })
    await town.pass()
    await town.publish(cart, 'order.placed', 1)
    const id = await town.publish(cart, 'order.placed', 2)
    expect(entryAt(town, id, orders)).toMatchObject({ outcome: 'dropped', subs: [2] })
    expect(entryAt(town, id, orders)?.why).toMatch(
      /^The handler of order\.\*.* in tab \d dropped it: its buffer was full, .* Give the subscription a larger buffer or more concurrency, or overflow: "block" to make publishers wait\.$/,
    )
  })

  it('is of a narrower scope says how far it goes', async () => {
    const { town, cart, orders } = await tabs()
    orders.subscribe('order.*', () => {})
    await town.pass()
    const id = await town.publish(cart, 'order.placed', 1, { scope: 'context' })
    expect(entryAt(town, id, orders)).toMatchObject({
      outcome: 'wrong_scope',
      expected: false,
      why: `It was published with scope 'context' and stays in ${town.nameOf(cart)}. Publish it with scope 'device' for the other tabs and workers, or with 'room' for all devices.`,
    })
    const { town: room, phone, laptop } = await devices()
    laptop.subscribe('order.*', () => {})
    await room.pass()
    const stays = await room.publish(phone, 'order.placed', 1, { scope: 'device' })
    expect(entryAt(room, stays, laptop)).toMatchObject({
      outcome: 'wrong_scope',
      why: `It was published with scope 'device' and stays on the device of ${room.nameOf(phone)}; ${room.nameOf(laptop)} is on another one. Publish it with scope 'room', which is the default.`,
    })
  })

  it('came before somebody subscribed says by how much, and how to get it', async () => {
    const { town, cart, orders } = await tabs()
    const id = await town.publish(cart, 'order.placed', 1)
    orders.subscribe('order.*', () => {})
    await town.pass()
    expect(entryAt(town, id, orders)).toMatchObject({ outcome: 'too_late', expected: false })
    expect(entryAt(town, id, orders)?.why).toMatch(
      /^tab \d subscribed too late: the handler of order\.\* \(.*\) began [\d.]+ ms after order\.placed was published \(at [\d:.]+\), and live subscriptions hear only what comes after them\. Subscribe earlier, or with from: 'start' to be given what is in the log\.$/,
    )
    const { headline, findings } = explainSubscription(town.session, town.peerOf(orders), 2)
    expect(headline).toMatch(/^The handler of order\.\* \(.*\) in tab \d was never called\.$/)
    expect(findings[0]?.text).toContain('subscribed too late')
  })

  it('a `where` did not let through says so, also to who asks for the subscription', async () => {
    const { town, cart, orders } = await tabs()
    orders.subscribe('order.*', () => {}, { where: ({ data }) => data === 7 })
    await town.pass()
    const id = await town.publish(cart, 'order.placed', 1)
    await town.publish(cart, 'order.placed', 2)
    expect(entryAt(town, id, orders)?.why).toMatch(
      /^The handler of order\.\* \(.*\) in tab \d did not run: the `where` it was given did not let the event through\.$/,
    )
    const { findings } = explainSubscription(town.session, town.peerOf(orders), 2)
    expect(findings.map(({ text }) => text).join(' ')).toContain(
      'So it was with each of the last 2 events of order.placed.',
    )
  })

  it('is in another bus, or another room, says so', async () => {
    const town = new Town({ relay: simulatedRelay() })
    const one = town.bus('phone', { source: 'one', room: '42' })
    const other = town.bus('laptop', { source: 'other', room: '43' })
    const alone = town.bus('tablet', { source: 'alone' })
    for (const bus of [other, alone]) bus.subscribe('order.*', () => {})
    await town.settle()
    const id = await town.publish(one, 'order.placed', 1)
    expect(entryAt(town, id, other)).toMatchObject({
      outcome: 'wrong_scope',
      why: `${town.nameOf(one)} is in the room ‘42’, ${town.nameOf(other)} in the room ‘43’: rooms do not hear each other. Give both relayLinks the same room.`,
    })
    expect(entryAt(town, id, alone)?.why).toBe(
      `${town.nameOf(alone)} is on another device and is not joined to a relay: give its createBus a relayLink to the room ‘42’.`,
    )
  })

  it('was published while somebody was gone says so', async () => {
    const { town, cart, orders } = await tabs()
    orders.subscribe('order.*', () => {})
    await town.pass()
    const { session } = town
    const peer = town.peerOf(orders)
    await town.network.until(orders.close())
    await town.pass(1_000)
    const id = await town.publish(cart, 'order.placed', 1)
    const entry = ledgerOf(session, id).find((one) => one.peer === peer)
    expect(entry?.outcome).toMatch(/^(offline|not_subscribed)$/)
    expect(entry?.why).toMatch(/(was gone|did not listen any more)/)
  })
})
