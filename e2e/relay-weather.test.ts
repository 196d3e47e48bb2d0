/** What devices hear when the relay is asked to end, or has trimmed away what they had not read. */
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

test('a relay that is asked to end in the middle of a burst sends its devices away, and they lose nothing', async () => {
  const store = sqliteFile()
  const first = await run(store)
  const [ann, bob] = [join(first.relay.url), join(first.relay.url)]
  const [byBob, byAnn] = [listen(ann.bus, 'bob.said'), listen(bob.bus, 'ann.said')]
  await Promise.all([online(ann), online(bob)])
  const relayed = [
    ...(await publish(ann, 'ann.said', [0, 300])),
    ...(await publish(bob, 'bob.said', [0, 300])),
  ]
  await expect.poll(() => Math.min(byAnn.length, byBob.length)).toBeGreaterThan(0)
  const drained = first.drain()
  relayed.push(...(await publish(ann, 'ann.said', [300, 500])))
  relayed.push(...(await publish(bob, 'bob.said', [300, 500])))
  expect(await drained).toBe(0)
  await expect.poll(() => [ann.bus.status.relay, bob.bus.status.relay]).not.toContain('online')

  const again = await run(store, first.port)
  await Promise.all(relayed)
  await expect.poll(() => [byAnn.length, byBob.length]).toEqual([500, 500])
  expect(dataOf(byAnn)).toEqual(numbers(0, 500))
  expect(dataOf(byBob)).toEqual(numbers(0, 500))
  expect([...ann.gaps, ...bob.gaps]).toEqual([])
  const room = await readRoom(again.relay, 1_000)
  for (const type of ['ann.said', 'bob.said'])
    expect(dataOf(room.filter((event) => event.type === type))).toEqual(numbers(0, 500))
})

test('a device that slept while its range was trimmed hears of the gap, then what is kept, then what is new', async () => {
  const relay = await serveHere({ limits: { roomEvents: 100 } })
  const [writer, sleeper] = [join(relay.url), join(relay.url)]
  const heard = listen(sleeper.bus, 'note.made')
  await online(sleeper)
  await Promise.all(await publish(writer, 'note.made', [0, 50]))
  await expect.poll(() => heard.length).toBe(50)

  sleeper.link.pause()
  await expect.poll(() => sleeper.bus.status.relay).toBe('offline')
  await Promise.all(await publish(writer, 'note.made', [50, 600]))
  let kept: unknown[] = []
  await expect
    .poll(async () => {
      kept = dataOf(await readRoom(relay, 1_000))
      return kept.length
    })
    .toBeLessThanOrEqual(100)
  expect(kept.at(-1)).toBe(599)

  sleeper.link.resume()
  await expect.poll(() => heard.at(-1)?.data).toBe(599)
  expect(sleeper.gaps.map(({ reason }) => reason)).toEqual(['trimmed'])
  expect(dataOf(heard)).toEqual([...numbers(0, 50), ...kept])
  await Promise.all(await publish(writer, 'note.made', [600, 650]))
  await expect.poll(() => heard.length).toBe(50 + kept.length + 50)
  expect(writer.gaps).toEqual([])
})
