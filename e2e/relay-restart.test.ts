/** What devices keep when the relay is killed, comes back, comes back empty, or refuses them first. */
import type { BusEvent } from '@crosstown/bus'
import { expect, test } from './fixtures.ts'
import {
  dataOf,
  endAll,
  join,
  listen,
  numbers,
  online,
  publish,
  readRoom,
  run,
  serveHere,
  sqliteFile,
} from './relay-devices.ts'

test.afterEach(endAll)

test('a relay killed in the middle of a burst loses nothing, doubles nothing and keeps order', async () => {
  const store = sqliteFile()
  const first = await run(store)
  const [ann, bob] = [join(first.relay.url), join(first.relay.url)]
  const [byBob, byAnn] = [listen(ann.bus, 'bob.said'), listen(bob.bus, 'ann.said')]
  await Promise.all([online(ann), online(bob)])

  const burst = async (part: readonly [number, number]): Promise<Promise<BusEvent>[][]> =>
    Promise.all([publish(ann, 'ann.said', part), publish(bob, 'bob.said', part)])
  const parts = [await burst([0, 300])]
  // Both are in the middle of it: each has heard something, and has more to send.
  await expect.poll(() => Math.min(byAnn.length, byBob.length)).toBeGreaterThan(0)
  parts.push(await burst([300, 600]))
  expect(ann.bus.status.outbox.pending).toBeGreaterThan(0)
  const killed = first.kill()
  parts.push(await burst([600, 1_000]))
  await killed
  const again = await run(store, first.port)

  const said = [0, 1].map((who) => parts.flatMap((part) => part[who] ?? []))
  const [saidByAnn = [], saidByBob = []] = await Promise.all(
    said.map((events) => Promise.all(events)),
  )
  const all = numbers(0, 1_000)
  await expect.poll(() => [byAnn.length, byBob.length]).toEqual([1_000, 1_000])
  expect(dataOf(byAnn)).toEqual(all)
  expect(dataOf(byBob)).toEqual(all)
  for (const { bus, gaps } of [ann, bob]) {
    expect(bus.status.outbox).toEqual({ pending: 0, refused: 0 })
    expect(gaps).toEqual([])
  }

  const room = await readRoom(again.relay, 300)
  expect(room.length).toBe(2_000)
  expect(room.map(({ position }) => Number(position.split('.')[1]))).toEqual(numbers(1, 2_001))
  const places = (events: readonly { readonly id: string; readonly position?: string }[]) =>
    events.map(({ id, position }) => [id, position])
  for (const [type, sent, heard] of [
    ['ann.said', saidByAnn, byAnn],
    ['bob.said', saidByBob, byBob],
  ] as const) {
    const inRoom = room.filter((event) => event.type === type)
    expect(dataOf(inRoom)).toEqual(all)
    expect(places(sent)).toEqual(places(inRoom))
    expect(places(heard)).toEqual(places(inRoom))
  }
})

test('a device that joins late hears the whole history from the start, each event once, then live', async () => {
  const { relay } = await run('memory')
  const writer = join(relay.url)
  await Promise.all(await publish(writer, 'note.made', [0, 1_500]))

  const late = join(relay.url)
  const heard = listen(late.bus, '**', 'start')
  await expect.poll(() => heard.length).toBe(1_500)
  await Promise.all(await publish(writer, 'note.made', [1_500, 1_600]))
  await expect.poll(() => heard.length).toBe(1_600)
  expect(dataOf(heard)).toEqual(numbers(0, 1_600))
  // Nothing comes a second time behind what was heard last.
  await Promise.all(await publish(writer, 'note.made', [1_600, 1_610]))
  await expect.poll(() => dataOf(heard)).toEqual(numbers(0, 1_610))
})

test('after a relay came back empty, a device hears live what another publishes there', async () => {
  const first = await run('memory')
  const writer = join(first.relay.url)
  await Promise.all(await publish(writer, 'note.made', [0, 50]))
  // It joins when the room stands at place 50, and hears what comes behind that.
  const reader = join(first.relay.url)
  const heard = listen(reader.bus, '**')
  await online(reader)
  await Promise.all(await publish(writer, 'note.made', [50, 60]))
  await expect.poll(() => dataOf(heard)).toEqual(numbers(50, 60))
  await writer.bus.close()

  await first.kill()
  const again = await run('memory', first.port)
  await expect.poll(() => reader.gaps.map(({ reason }) => reason)).toEqual(['new_epoch'])
  await online(reader)
  const newcomer = join(first.relay.url)
  await Promise.all(await publish(newcomer, 'note.made', [60, 160]))
  // The new room counts its places from 1 again: those up to 50 are news as well.
  expect(dataOf(await readRoom(again.relay, 1_000))).toEqual(numbers(60, 160))
  await expect.poll(() => dataOf(heard)).toEqual(numbers(50, 160))
})

test('a device that was refused comes back with another token when its link is resumed', async () => {
  const server = await serveHere({
    auth: (token) =>
      token === 'right'
        ? { subject: 'ann', rights: { publish: ['**'], subscribe: ['**'] } }
        : undefined,
  })
  const reader = join(server.url, () => 'right')
  const heard = listen(reader.bus, '**')
  await online(reader)

  let token = 'wrong'
  const writer = join(server.url, () => token)
  const relayed = publish(writer, 'note.made', [0, 20])
  await expect.poll(() => writer.bus.status.relay).toBe('refused')
  expect(writer.bus.status.lastError?.code).toBe('unauthorized')
  await expect.poll(() => writer.bus.status.outbox.pending).toBe(20)

  token = 'right'
  writer.link.resume()
  await online(writer)
  await Promise.all(await relayed)
  expect(writer.bus.status.outbox).toEqual({ pending: 0, refused: 0 })
  await expect.poll(() => dataOf(heard)).toEqual(numbers(0, 20))
})
