import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bus, createBus, relayLink } from '@crosstown/bus'
import { sqliteLog } from '@crosstown/bus/log/sqlite'
import { fingerprint, VALUES } from '@crosstown/bus/testing'
import { expect, test } from './fixtures.ts'

type Heard = Record<string, { id: string; print: string }>

/** Remembers a fingerprint of every value heard, by name. */
function listen(bus: Bus<Record<string, unknown>>): Heard {
  const heard: Heard = {}
  bus.subscribe('value.**', (event) => {
    heard[event.stream ?? ''] = { id: event.id, print: fingerprint(event.data) }
  })
  return heard
}

test('values come out equal in the same context, another tab, the log, SQLite and over the relay', async ({
  context,
  relay,
  site,
}) => {
  const room = `values-${Date.now()}`
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-'))
  const open = () =>
    createBus<Record<string, unknown>>({
      name: 'talk',
      tabs: false,
      log: sqliteLog(join(folder, 'values.db')),
      relay: relayLink({ url: relay.url, room }),
    })
  let server = open()
  const overRelay = listen(server)
  await expect.poll(() => server.status.relay).toBe('online')

  const query = `relay=${encodeURIComponent(relay.url)}&room=${room}`
  const [here, there] = [await context.newPage(), await context.newPage()]
  await here.goto(`${site}/?name=here&${query}`)
  await there.goto(`${site}/?name=there&${query}`)
  await there.evaluate(async () => {
    const prints: Heard = {}
    Object.assign(globalThis, { prints })
    peer.subscribe('value.**', (event) => {
      prints[event.stream ?? ''] = { id: event.id, print: testing.fingerprint(event.data) }
    })
    await peer.publish('listening')
  })

  const published = await here.evaluate(async () => {
    const prints: Heard = {}
    const same: Record<string, boolean> = {}
    for (const { name, make } of testing.VALUES) {
      const data = make()
      const heard = peer.once('value.said', { where: (event) => event.stream === name })
      const event = await peer.publish('value.said', data, { stream: name })
      same[name] = Object.is((await heard).data, data)
      prints[name] = { id: event.id, print: testing.fingerprint(data) }
    }
    // Whatever happens to the object after publish, the event is what it was.
    const data = { list: [1], map: new Map([['a', 1]]) }
    const publishing = peer.publish('value.changed', data, { stream: 'changed' })
    data.list.push(2)
    data.map.clear()
    const { id } = await publishing
    const print = testing.fingerprint({ list: [1], map: new Map([['a', 1]]) })
    prints['changed'] = { id, print }
    await peer.flush({ until: 'relayed' })
    return { prints, same }
  })
  expect(Object.keys(published.prints)).toHaveLength(VALUES.length + 1)
  expect(Object.values(published.same)).not.toContain(false)
  for (const { name, make } of VALUES)
    expect(published.prints[name]?.print, name).toBe(fingerprint(make()))

  const inThere = () => there.evaluate(() => (globalThis as unknown as { prints: Heard }).prints)
  await expect.poll(inThere).toEqual(published.prints)
  await expect.poll(() => overRelay).toEqual(published.prints)

  for (const page of [here, there]) {
    const logged = await page.evaluate(async (prints) => {
      const read: Heard = {}
      for (const [name, { id }] of Object.entries(prints)) {
        read[name] = { id, print: testing.fingerprint((await peer.get(id))?.data) }
      }
      return read
    }, published.prints)
    expect(logged).toEqual(published.prints)
  }

  await server.close()
  server = open()
  for (const [name, { id, print }] of Object.entries(published.prints)) {
    expect(fingerprint((await server.get(id))?.data), `${name} in SQLite`).toBe(print)
  }
  await server.close()
  rmSync(folder, { recursive: true })

  await test.step('a relay reads no value, and gives it back as it came', async () => {
    const { id } = published.prints['plain object'] as { id: string }
    const event = await (await fetch(`${relay.http}/rooms/${room}/events/${id}`)).json()
    expect(event.data).toEqual({ sku: 'A1', price: 19.99, tags: ['a', 'b'], inner: { deep: null } })
  })
})

test('what would not come out the same is refused at publish, in a real page too', async ({
  page,
  site,
}) => {
  await page.goto(`${site}/?name=refusing`)
  const refusals = await page.evaluate(async () => {
    const attempts: unknown[] = [
      () => 1,
      { a: [new Blob(['x'])] },
      { node: document.body },
      'x'.repeat(300 * 1024),
    ]
    const outcomes = []
    for (const data of attempts) {
      outcomes.push(
        await peer.publish('my.type', data).then(
          () => 'published',
          (error) => [error.code, error.eventType, error.path],
        ),
      )
    }
    return outcomes
  })
  expect(refusals).toEqual([
    ['invalid_data', 'my.type', 'data'],
    ['invalid_data', 'my.type', 'data.a[0]'],
    ['invalid_data', 'my.type', 'data.node'],
    ['too_large', 'my.type', 'data'],
  ])
})
