/** All that is behind a relay, seen by one inspector of its room. */
import type { ChildProcess } from 'node:child_process'
import { eventsOf } from '@crosstown/bus/inspect'
import { connectInspector, type InspectorProbe } from '@crosstown/edge-relay/testing'
import { expect, type Relay, start, stop, test } from './fixtures.ts'

async function server(command: string, args: readonly string[]): Promise<ChildProcess> {
  return (await start(command, args, /online/)).child
}

/** Inspects a room; the panel of a developer, without the panel. */
async function inspect(relay: Relay, room: string): Promise<InspectorProbe & { close(): void }> {
  const panel = await connectInspector(`${relay.url}/rooms/${room}/inspect`)
  await panel.join()
  panel.attach('panel', 10_000)
  return panel
}

test('an event is seen at every context, device, server and at the relay, by an inspector of the room', async ({
  browser,
  relay,
  site,
}) => {
  const { CROSSTOWN_DENO: deno } = process.env
  const room = `inspect-${Date.now()}`
  const query = `relay=${encodeURIComponent(relay.url)}&room=${room}`
  const script = 'e2e/peers/server-peer.ts'
  const servers: ChildProcess[] = []
  const device = await browser.newContext()
  const other = await browser.newContext()
  const panel = await inspect(relay, room)
  try {
    servers.push(await server(process.execPath, [script, 'node', relay.url, room]))
    const allowed = ['--allow-net=127.0.0.1', '--allow-env', '--allow-read']
    if (deno) {
      const args = ['run', '--no-lock', ...allowed, script, 'deno', relay.url, room]
      servers.push(await server(deno, args))
    }
    const [tab, phone] = [await device.newPage(), await other.newPage()]
    await tab.goto(`${site}/?name=tab&${query}&with=iframe&with=worker&with=sw`)
    await phone.goto(`${site}/?name=phone&${query}`)
    const names = ['tab', 'tab-iframe', 'tab-worker', 'tab-sw', 'phone', 'node']
    if (deno) names.push('deno')
    const hellos = await Promise.all(
      names.map((name) => panel.next('hello', ({ source }) => source === name)),
    )
    const kinds = ['page', 'iframe', 'worker', 'service-worker', 'page', 'node', 'deno']
    expect(hellos.map(({ kind }) => kind)).toEqual(kinds.slice(0, names.length))
    const [own] = hellos
    // Contexts of one log are one device, and the others are others.
    await expect(async () => {
      const logs = new Map(hellos.map(({ source, log }) => [source, log]))
      expect(new Set([...logs].slice(0, 4).map(([, log]) => log)).size).toBe(1)
      expect(new Set(logs.values()).size).toBe(names.length - 3)
    }).toPass()

    const { id } = await tab.evaluate(() => peer.publish('said', { from: 'tab', n: 0 }))
    const of = (peer: string) => (record: { peer: string; ids: readonly unknown[] }) =>
      record.peer === peer && JSON.stringify(record.ids).includes(own?.peer ?? '')
    await panel.record('published', ({ events }) =>
      eventsOf(events).some((event) => event.id === id),
    )
    for (const { peer } of hellos) await panel.record('handled', of(peer))
    const atRelay = (record: { peer: string; ids: readonly unknown[] }): boolean =>
      record.peer.startsWith(`relay:${room}:`) && of(record.peer)(record)
    await panel.record('received', atRelay)
    await panel.record('confirmed', atRelay)
    await panel.record('posted', atRelay)

    await test.step('its data is asked for where it is', async () => {
      for (const [i, { peer }] of hellos.entries()) {
        panel.ask(peer, i, { what: 'payload', event: id })
        const answer = await panel.next('answer', (given) => given.id === i)
        expect(answer.error).toBeUndefined()
        expect(answer).toMatchObject({ peer, result: { type: 'object', size: 2 } })
      }
    })

    await test.step('the next leader of a device goes on', async () => {
      const next = await device.newPage()
      await next.goto(`${site}/?name=next&${query}`)
      await panel.next('hello', ({ source }) => source === 'next')
      await tab.close()
      await next.evaluate(() => peer.publish('said', { from: 'next', n: 1 }))
      await panel.record('published', ({ events }) =>
        eventsOf(events).some(({ source }) => source === 'next'),
      )
    })
  } finally {
    panel.close()
    await Promise.all([device.close(), other.close(), ...servers.map(stop)])
  }
  test.skip(!deno, 'no Deno: everyone but it was tried')
})
