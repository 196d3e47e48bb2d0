/** What every log must do to stay bounded, and when it goes under those who use it. */
import { BATCH_SLOTS, offsetOf } from '../event.ts'
import type { Log, RetentionLimits, StoredBatch, Trimmed } from '../log/log.ts'
import { header, joined, type LogTest, own, promised, room } from './log-records.ts'
import { codeOf, must, mustEqual } from './suite.ts'

const NONE: RetentionLimits = { events: Infinity, bytes: Infinity, before: 0 }

/** All steps of a trim, added up. */
async function trimAll(log: Log, limits: Partial<RetentionLimits>, outbox?: boolean) {
  const steps: Trimmed[] = []
  do steps.push(await log.trim({ ...NONE, ...limits }, outbox))
  while (steps.at(-1)?.more)
  return { removed: steps.reduce((sum, step) => sum + step.removed, 0), steps }
}

async function idsOf(log: Log): Promise<string[]> {
  const ids = (batch: StoredBatch) => batch.headers.map((one) => one.id)
  return (await log.read(0, 1_000)).flatMap(ids)
}

export function upkeepContract(test: LogTest, share?: (log: Log) => Log | Promise<Log>): void {
  test('removes the oldest records over a number of events, and all that belongs to them', async (log) => {
    const numbers: number[] = []
    for (let n = 1; n <= 5; n++) {
      numbers.push(await log.append(own([[`a-${2 * n - 1}`, { stream: 's' }], [`a-${2 * n}`]])))
    }
    const [first, second] = numbers as [number, number]
    const { removed, steps } = await trimAll(log, { events: 7 }, false)
    mustEqual(removed, 4, 'whole records go until the rest is within the limit')
    mustEqual(
      steps.at(-1)?.range,
      { from: offsetOf(first, 0), through: offsetOf(second, BATCH_SLOTS - 1) },
      'it says which offsets are gone',
    )
    mustEqual(await idsOf(log), ['a-5', 'a-6', 'a-7', 'a-8', 'a-9', 'a-10'], 'the newest stay')
    must((await log.find('a-1')) === undefined, 'what is gone is not found')
    mustEqual((await log.find('a-5'))?.batch.batch, numbers[2], 'the rest is')
    const state = await log.state()
    mustEqual(
      [state.first, state.head.batch],
      [numbers[2], numbers[4]],
      'the state says from where',
    )
    mustEqual(state.totals?.events, 6, 'and how much there is')
    mustEqual(
      (await trimAll(log, { events: 7 }, false)).removed,
      0,
      'within the limit nothing goes',
    )
  })

  test('keeps snapshots by name, a hundred at most', async (log) => {
    mustEqual(await log.snapshot('a'), undefined, 'there is none at first')
    const number = await log.append(own([['a-1']]))
    await log.keepSnapshot('a', 'one\nand "more"')
    await log.keepSnapshot('b', '')
    await log.keepSnapshot('a', 'two')
    mustEqual(
      [await log.snapshot('a'), await log.snapshot('b')],
      ['two', ''],
      'the last one counts',
    )
    for (let n = 0; n < 99; n++) await log.keepSnapshot(`n-${n}`, 'text')
    mustEqual(
      [await log.snapshot('a'), await log.snapshot('b'), await log.snapshot('n-0')],
      ['two', undefined, 'text'],
      'the one that was kept longest ago goes',
    )
    mustEqual((await log.state()).head.batch, number, 'they are no records')
  })

  test('removes by size and by time of writing', async (log) => {
    const batches = [1, 2, 3, 4].map((n) => own([[`a-${n}`]], undefined, 1_000 * n))
    for (const batch of batches) await log.append(batch)
    await trimAll(log, { before: 2_000 }, false)
    mustEqual(await idsOf(log), ['a-2', 'a-3', 'a-4'], 'what was written before the time is gone')
    const size = batches[0]!.headers.length + batches[0]!.data.length
    mustEqual((await log.state()).totals?.bytes, 3 * size, 'the size of the rest is known')
    await trimAll(log, { bytes: 2 * size }, false)
    mustEqual(await idsOf(log), ['a-3', 'a-4'], 'so is what was over the size')
    await trimAll(log, { events: 0, bytes: 0, before: Infinity }, false)
    mustEqual(await idsOf(log), ['a-4'], 'the newest record stays whatever the limits say')
    mustEqual((await log.state()).totals?.events, 1, 'and is counted')
  })

  test('never removes what waits for the room, nor the last confirmed batch', async (log) => {
    const term = await joined(log)
    // What the relay has taken is not sent again, wherever the room says it is.
    await log.append(own([['a-0']]))
    const [first, second] = [await log.append(own([['a-1']])), await log.append(own([['a-2']]))]
    await log.append(own([['a-3', { scope: 'device' }]]))
    const run = (place: number, batch: number) => ({ place, time: 5, own: { batch, indexes: [0] } })
    await log.appendRoom(room('E.0.0', 'E.2.x', [run(1, first), run(2, second)]), term)
    await log.append(own([['a-4']]))
    const events = [header('z-1'), header('z-2')]
    await log.appendRoom(room('E.2.x', 'E.4.x', [{ place: 3, time: 5, events }]), term)
    const last = await log.append(own([['a-5', { scope: 'device' }]]))
    await log.append(own([['a-6', { scope: 'device' }]]))
    const { removed } = await trimAll(log, { events: 0 })
    mustEqual(await idsOf(log), ['a-2', 'a-4', 'a-6'], 'the others go in its place')
    mustEqual(removed, 6, 'each is counted')
    must((await log.placement(first)) === undefined, 'places of what is gone are gone')
    must((await log.placement(second)) !== undefined, 'those of the rest are not')
    mustEqual((await log.state()).room.pending, 1, 'the outbox is what it was')
    await trimAll(log, { events: 0 }, false)
    mustEqual(await idsOf(log), ['a-2', 'a-6'], 'without a relay nothing waits')
    must((await log.append(own([['a-7']]))) > last + 1, 'no number is used twice')
  })

  test('removes much in steps of a bounded size, and adds up only what is new', async (log) => {
    for (let n = 1; n <= 200; n++) await log.append(own([[`a-${n}`]]))
    mustEqual(
      await log.trim({ ...NONE, events: 10 }, false),
      { removed: 0, more: true },
      'one step',
    )
    const { removed, steps } = await trimAll(log, { events: 10 }, false)
    mustEqual(removed, 190, 'all steps together remove what is over')
    must(
      steps.every((step) => step.removed <= 64),
      'no step removes more than 64 records',
    )
    await log.append(own([['a-201'], ['a-202']]))
    mustEqual(
      await log.trim({ ...NONE, events: 20 }, false),
      { removed: 0, more: false },
      'one step',
    )
    mustEqual((await log.state()).totals?.events, 12, 'what was added since is in the totals')
  })

  test('clear leaves nothing, and ends what uses the log', async (log) => {
    await log.append(own([['a-1', { stream: 's' }]]))
    let told = 0
    log.watch(() => {
      told += 1
    })
    await log.clear()
    mustEqual(told, 0, 'who clears it is not told of it')
    const write = promised(() => log.append(own([['a-2']])))
    mustEqual(await codeOf(write), 'log_cleared', 'writing is refused')
    mustEqual(await codeOf(promised(() => log.read(0, 1))), 'log_cleared', 'so is reading')
    mustEqual(await codeOf(promised(() => log.clear())), 'log_cleared', 'it is cleared once')
  })

  if (!share) return
  test('a log that one user clears is gone for all, and the next one is new', async (log) => {
    const [{ logId }, other] = [await log.state(), await share(log)]
    mustEqual((await other.open()).logId, logId, 'both use one log')
    const number = await log.append(own([['a-1']]))
    mustEqual((await other.read(0, 10))[0]?.batch, number, 'what one writes, the other reads')
    await log.keepSnapshot('view', 'text')
    const lost = new Promise<unknown>((resolve) => other.watch((error) => resolve(error.code)))
    await log.clear()
    mustEqual(await lost, 'log_cleared', 'the other is told')
    mustEqual(await codeOf(promised(() => other.append(own([['a-2']])))), 'log_cleared', 'it fails')
    let late: unknown
    other.watch((error) => {
      late = error.code
    })
    mustEqual(late, 'log_cleared', 'who asks late is told at once')
    await other.close()
    const next = await share(log)
    const state = await next.open()
    must(state.logId !== logId, 'the next one has an id of its own')
    mustEqual([state.first, state.head.batch, state.room.term], [0, 0, 0], 'and holds nothing')
    must((await next.append(own([['a-3']]))) > 0, 'it can be used')
    must((await next.find('a-1')) === undefined, 'nothing of the old one is found')
    mustEqual(await next.snapshot('view'), undefined, 'nor a snapshot of it')
    await next.close()
  })
}
