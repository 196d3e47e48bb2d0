import { setImmediate } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { BusError } from '../errors.ts'
import { checkOf } from '../protocol/position.ts'
import { EntryMaker } from '../testing/entries.ts'
import type { Confirmation } from './sync.ts'
import { RelayedWaiters } from './waiters.ts'

let maker: EntryMaker
let waiters: RelayedWaiters
/** How many hold the process at the moment. */
let holding: number

beforeEach(() => {
  maker = new EntryMaker()
  holding = 0
  waiters = new RelayedWaiters(() => {
    holding += 1
    return () => {
      holding -= 1
    }
  })
})

function confirmation(batch: number, change: Partial<Confirmation> = {}): Confirmation {
  return { batch, epoch: 'e', place: 7, indexes: [0], refused: [], whole: false, ...change }
}

const relayed = () => maker.make('a', 1, { until: 'relayed' })

describe('confirmed', () => {
  test('an event gets its position, and whoever waits gets the event', async () => {
    const { entry, promise } = relayed()
    expect(waiters.add(1, [entry])).toBe(true)
    waiters.confirm(confirmation(1))
    const event = await promise
    expect(event.position).toBe(`e.7.${checkOf(event.id)}`)
  })

  test('events stand at neighbouring places, those of the device left out', async () => {
    const [first, second] = [relayed(), relayed()]
    const device = maker.make('a', 1, { scope: 'device' })
    waiters.add(1, [first.entry, device.entry, second.entry])
    waiters.confirm(confirmation(1, { indexes: [0, 2] }))
    expect((await first.promise).position).toMatch(/^e\.7\./)
    expect((await second.promise).position).toMatch(/^e\.8\./)
    expect(device.entry.event.position).toBeUndefined()
  })

  test('a batch in parts is confirmed when the last part is', async () => {
    const [first, second] = [relayed(), relayed()]
    waiters.add(1, [first.entry, second.entry])
    const drained = waiters.drained()
    waiters.confirm(confirmation(1, { indexes: [1] }))
    waiters.confirm(confirmation(1, { indexes: [1] }))
    expect((await second.promise).position).toMatch(/^e\.7\./)
    expect(waiters.batches()).toEqual([1])
    waiters.confirm(confirmation(1, { place: 9 }))
    expect((await first.promise).position).toMatch(/^e\.9\./)
    await drained
  })

  test('what is in the room, nobody can say where, is confirmed without a position', async () => {
    const [first, second] = [relayed(), relayed()]
    waiters.add(1, [first.entry, second.entry])
    waiters.confirm(confirmation(1, { indexes: [], whole: true }))
    expect((await first.promise).position).toBeUndefined()
    expect((await second.promise).position).toBeUndefined()
    const third = relayed()
    waiters.add(2, [third.entry])
    waiters.confirmThrough(2)
    expect((await third.promise).position).toBeUndefined()
    expect(waiters.batches()).toEqual([])
  })

  test('other batches wait on', async () => {
    const [first, second] = [relayed(), relayed()]
    waiters.add(1, [first.entry])
    waiters.add(2, [second.entry])
    waiters.confirm(confirmation(1))
    await first.promise
    let settled = false
    void second.promise.then(() => {
      settled = true
    })
    await setImmediate()
    expect(settled).toBe(false)
  })

  test('twice, or out of a batch nobody here wrote, changes nothing', async () => {
    const { entry, promise } = relayed()
    waiters.add(1, [entry])
    waiters.confirm(confirmation(9))
    waiters.confirm(confirmation(1))
    waiters.confirm(confirmation(1, { place: 99 }))
    expect((await promise).position).toMatch(/^e\.7\./)
  })

  test('with an index the batch does not have, the others are confirmed all the same', async () => {
    const { entry, promise } = relayed()
    waiters.add(1, [entry])
    waiters.confirm(confirmation(1, { indexes: [5, 0], refused: [[6, 'forbidden']] }))
    expect((await promise).position).toMatch(/^e\.8\./)
  })
})

test('refused: whoever waits is told the code and the event', async () => {
  const [good, bad] = [relayed(), relayed()]
  waiters.add(1, [good.entry, bad.entry])
  waiters.confirm(confirmation(1, { refused: [[1, 'forbidden']] }))
  await expect(good.promise).resolves.toBe(good.entry.event)
  await expect(bad.promise).rejects.toMatchObject({
    code: 'forbidden',
    eventId: bad.entry.event.id,
    eventType: 'a',
  })
  expect(bad.entry.event.position).toBeUndefined()
})

test('an event that waits for the log only is left alone when the relay refuses it', async () => {
  const { entry, promise } = maker.make('a')
  waiters.add(1, [entry, relayed().entry])
  waiters.confirm(confirmation(1, { refused: [[0, 'forbidden']], indexes: [1] }))
  entry.ticket.resolve()
  await expect(promise).resolves.toBe(entry.event)
})

test('batches nobody waits for are not kept', () => {
  expect(waiters.add(1, [maker.entry('a')])).toBe(false)
  expect(waiters.add(2, [maker.entry('a', 1, { scope: 'device' })])).toBe(false)
})

describe('drained', () => {
  test('at once where nothing is for the room', async () => {
    waiters.add(1, [maker.entry('a', 1, { scope: 'device' })])
    await expect(waiters.drained()).resolves.toBeUndefined()
  })

  test('when all batches so far are confirmed, whether somebody waits for them or not', async () => {
    waiters.add(1, [maker.entry('a')])
    waiters.add(2, [relayed().entry])
    let drained = false
    const draining = waiters.drained().then(() => {
      drained = true
    })
    waiters.add(3, [maker.entry('a')])
    waiters.confirm(confirmation(1))
    await setImmediate()
    expect(drained).toBe(false)
    waiters.confirm(confirmation(2))
    await draining
  })

  test('also where the confirmation came before the own commit was known', async () => {
    waiters.confirm(confirmation(2))
    waiters.add(2, [maker.entry('a')])
    await expect(waiters.drained()).resolves.toBeUndefined()
  })
})

test('given up, every promise is rejected and nothing is left to drain', async () => {
  const { entry, promise } = relayed()
  waiters.add(1, [entry])
  const drained = waiters.drained()
  const closed = new BusError('closed', 'gone')
  expect(holding).toBe(1)
  waiters.abandon(closed)
  await expect(promise).rejects.toBe(closed)
  await expect(drained).rejects.toBe(closed)
  expect(holding).toBe(0)
})

test('the process is held while somebody waits, and let go with the last confirmation', async () => {
  const [first, second] = [relayed(), relayed()]
  waiters.add(1, [first.entry])
  waiters.add(2, [second.entry])
  waiters.confirm(confirmation(1))
  expect(holding).toBe(1)
  waiters.confirm(confirmation(2))
  expect(holding).toBe(0)
  waiters.add(3, [maker.entry('a')])
  expect(holding).toBe(0)
  const drained = waiters.drained()
  expect(holding).toBe(1)
  expect(waiters.batches()).toEqual([3])
  waiters.confirm(confirmation(3))
  await drained
  expect(holding).toBe(0)
})
